// A player's end of a connection: straight-line sending and receiving over a simulated transport.

using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

internal sealed class Stream(Transport transport)
{
    private readonly Waiter reading = new(transport.Loop);
    private readonly Waiter writing = new(transport.Loop);
    private readonly Waiter pausing = new(transport.Loop);
    private byte[] buffer = new byte[4096];
    private int start;
    private int end;

    public Transport Transport => transport;

    public ReadOnlySpan<byte> Buffered => buffer.AsSpan(start, end - start);

    public void Use(int count) => start += count;

    /// <summary>False at the peer's end, or where the connection broke.</summary>
    public async LoopTask<bool> FillAsync()
    {
        while (true)
        {
            if (start > 0)
            {
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                end -= start;
                start = 0;
            }

            if (end == buffer.Length) Array.Resize(ref buffer, buffer.Length * 2);
            var got = transport.TryRead(buffer.AsSpan(end));
            if (got.Status == IoStatus.Some)
            {
                end += got.Count;
                return true;
            }

            if (got.Status != IoStatus.WouldBlock) return false;
            await reading.FirstOf(transport.Readable, long.MaxValue);
        }
    }

    public async LoopTask<bool> SendAsync(byte[] bytes)
    {
        for (var sent = 0; sent < bytes.Length;)
        {
            var taken = transport.TryWrite(bytes.AsSpan(sent));
            if (taken.Status == IoStatus.Some) sent += taken.Count;
            else if (taken.Status == IoStatus.WouldBlock) await writing.FirstOf(transport.Writable, long.MaxValue);
            else return false;
        }

        return true;
    }

    /// <summary>Ends its own direction.</summary>
    public async LoopTask EndAsync()
    {
        while (!transport.ShutdownWrite()) await writing.FirstOf(transport.Writable, long.MaxValue);
    }

    public async LoopTask PauseAsync(long milliseconds) => await pausing.Until(transport.Loop.Now + milliseconds);

    /// <summary>Reads a request's head, which stays buffered; false where none comes.</summary>
    public async LoopTask<bool> HeadAsync(RequestHead head)
    {
        while (true)
        {
            head.Clear();
            var parsed = Buffered.IsEmpty ? ParseStatus.NeedMore : RequestParser.Parse(Buffered, HeadLimits.Default, head, out _);
            if (parsed != ParseStatus.NeedMore) return parsed == ParseStatus.Done;
            if (!await FillAsync()) return false;
        }
    }

    /// <summary>Reads a body whole; null where it broke off.</summary>
    public async LoopTask<byte[]?> BodyAsync(BodyFraming framing, long length)
    {
        var body = new MemoryStream();
        var chunked = new ChunkedDecoder();
        chunked.Reset();
        while (true)
        {
            switch (framing)
            {
                case BodyFraming.None:
                    return [];
                case BodyFraming.Length:
                    var take = (int)Math.Min(length - body.Length, end - start);
                    body.Write(Buffered[..take]);
                    Use(take);
                    if (body.Length == length) return body.ToArray();
                    break;
                case BodyFraming.Chunked:
                    var step = chunked.Next(Buffered, out var used, out var piece);
                    Use(used);
                    if (step == ChunkStep.End) return body.ToArray();
                    if (step == ChunkStep.Bad) throw new InvalidOperationException("bad chunked framing arrived");
                    if (step != ChunkStep.Piece) break;
                    body.Write(Buffered[..piece]);
                    Use(piece);
                    chunked.Advance(piece);
                    continue;
                default:
                    body.Write(Buffered);
                    Use(Buffered.Length);
                    break;
            }

            if (await FillAsync()) continue;
            return framing == BodyFraming.UntilClose && !transport.IsBroken ? body.ToArray() : null;
        }
    }
}
