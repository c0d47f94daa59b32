// A body that client and proxy both have, by which others are compressed (RFC 9842). Its bytes lie on the managed heap: nobody has to
// count who still compresses by them.

namespace Weir.Engine.Exchanges;

/// <summary>A dictionary. Immutable but for its encoders, which are made when they are first wanted. Any thread.</summary>
public sealed class SharedDictionary(byte[] content, byte[] hash)
{
    /// <summary>Bytes of a hash: SHA-256.</summary>
    public const int HashBytes = 32;

    private BodyEncoder? zstd;
    private BodyEncoder? brotli;

    public byte[] Content => content;

    public byte[] Hash => hash;

    /// <summary>Compresses with zstd by it; null: it was not made yet.</summary>
    public BodyEncoder? Zstd
    {
        get => Volatile.Read(ref zstd);
        set => Volatile.Write(ref zstd, value);
    }

    /// <summary>The same with Brotli.</summary>
    public BodyEncoder? Brotli
    {
        get => Volatile.Read(ref brotli);
        set => Volatile.Write(ref brotli, value);
    }
}
