// A body in chunks, read to its end and thrown away. No more than answers of proxies need: extensions are skipped, and no
// trailer is expected.

namespace Weir.Bench.Load;

internal enum ChunksState : byte
{
    Size,
    Extension,
    Content,
    End,
    LastEnd,
    Done,
    Bad,
}

internal struct Chunks
{
    private long left;
    private int seen;

    public ChunksState State { get; private set; }

    /// <summary>Takes what came.</summary>
    /// <returns>How much of it was content.</returns>
    public long Take(ReadOnlySpan<byte> bytes)
    {
        var content = 0L;
        while (bytes.Length > 0 && State < ChunksState.Done)
        {
            if (State == ChunksState.Content)
            {
                var n = (int)Math.Min(left, bytes.Length);
                (left, content) = (left - n, content + n);
                bytes = bytes[n..];
                if (left == 0) (State, seen) = (ChunksState.End, 0);
                continue;
            }

            var next = bytes[0];
            bytes = bytes[1..];
            if (State is ChunksState.End or ChunksState.LastEnd)
            {
                if (next != "\r\n"u8[seen++]) State = ChunksState.Bad;
                else if (seen == 2) (State, seen) = (State == ChunksState.End ? ChunksState.Size : ChunksState.Done, 0);
            }
            else if (next == '\n')
            {
                State = left > 0 ? ChunksState.Content : ChunksState.LastEnd;
                seen = 0;
            }
            else if (State == ChunksState.Size && char.IsAsciiHexDigit((char)next))
            {
                left = (left << 4) | (uint)(next <= '9' ? next - '0' : (next | 0x20) - 'a' + 10);
                if (++seen > 8) State = ChunksState.Bad;
            }
            else
            {
                State = ChunksState.Extension;
            }
        }

        return bytes.Length > 0 ? -1 : content; // Nothing follows a body here.
    }
}
