// What a client sent before its handshake was done: read as soon as it is there, because the handshake goes on only behind it.
// OpenSSL ends a connection that sends more than was allowed, so there is no more than that.

namespace Weir.Engine.Tls;

/// <summary>Where early data may be used (RFC 8446 §8).</summary>
public enum EarlyDataUse : byte
{
    Off,

    /// <summary>A ticket is good for early data once: it is remembered here, and forgotten when it is used.</summary>
    Once,

    /// <summary>Nodes share their tickets, and each lets early data in once and again: the operator says that it may be replayed.</summary>
    Replayable,
}

/// <summary>The early data of one connection. One loop.</summary>
internal sealed class EarlyData
{
    /// <summary>Bytes that a client may send early.</summary>
    public const int Most = 16384;

    // SSL_READ_EARLY_DATA_SUCCESS and …_FINISH.
    public const int Success = 1;
    public const int Finished = 2;

    private byte[] bytes = [];
    private int start;
    private int end;

    public bool HasBytes => start < end;

    /// <summary>All of it was read.</summary>
    public bool HasAll { get; set; }

    /// <summary>The handshake is done.</summary>
    public bool IsOver { get; set; }

    /// <summary>Where the next bytes are read to.</summary>
    public Span<byte> Room
    {
        get
        {
            const int Least = 1024;
            if (bytes.Length - end < Least) Array.Resize(ref bytes, Math.Max(4 * Least, bytes.Length * 2));
            return bytes.AsSpan(end);
        }
    }

    public void Add(int count) => end += count;

    public int Take(Span<byte> into)
    {
        var count = Math.Min(into.Length, end - start);
        bytes.AsSpan(start, count).CopyTo(into);
        start += count;
        if (start == end) (bytes, start, end) = ([], 0, 0);
        return count;
    }
}
