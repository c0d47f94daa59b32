// One side of HTTP in the laboratory: straight-line sending and receiving over a transport.

using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Wire.Http1;

namespace Weir.Control.Laboratory;

internal sealed class Conversation(Transport transport)
{
    private readonly Waiter waiter = new(transport.Loop);
    private readonly byte[] buffer = new byte[128 << 10];
    private int start;
    private int end;

    public ReadOnlySpan<byte> Buffered => buffer.AsSpan(start, end - start);

    public void Use(int count) => start += count;

    /// <summary>False at the peer's end, where the connection broke, and where the buffer is full.</summary>
    public async LoopTask<bool> FillAsync()
    {
        if (start == end) start = end = 0;
        while (true)
        {
            if (end == buffer.Length) return false;
            var got = transport.TryRead(buffer.AsSpan(end));
            end += got.Count;
            if (got.Status != IoStatus.WouldBlock) return got.Status == IoStatus.Some;
            await waiter.FirstOf(transport.Readable, long.MaxValue);
        }
    }

    /// <summary>False where the connection broke.</summary>
    public async LoopTask<bool> SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var taken = transport.TryWrite(bytes.Span);
            bytes = bytes[taken.Count..];
            if (taken.Status == IoStatus.WouldBlock) await waiter.FirstOf(transport.Writable, long.MaxValue);
            else if (taken.Status != IoStatus.Some) return false;
        }

        return true;
    }

    /// <summary>Reads a request's head, which stays buffered; false where none comes.</summary>
    public async LoopTask<bool> HeadAsync(RequestHead head)
    {
        while (true)
        {
            head.Clear();
            if (!Buffered.IsEmpty && RequestParser.Parse(Buffered, HeadLimits.Default, head, out _) is var parsed and not ParseStatus.NeedMore) return parsed == ParseStatus.Done;
            if (!await FillAsync()) return false;
        }
    }

    /// <summary>Reads a response's head, which stays buffered; false where none comes.</summary>
    public async LoopTask<bool> HeadAsync(ResponseHead head)
    {
        while (true)
        {
            head.Clear();
            if (!Buffered.IsEmpty && ResponseParser.Parse(Buffered, HeadLimits.Default, KnownMethod.Get, head, out _) is var parsed and not ParseStatus.NeedMore) return parsed == ParseStatus.Done;
            if (!await FillAsync()) return false;
        }
    }
}
