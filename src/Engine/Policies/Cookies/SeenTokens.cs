// Values seen lately and found good: a client sends the same one with each request, and reading it anew costs microseconds.
// A table of one place for each value; whoever comes later takes the place.

using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Weir.Engine.Policies.Cookies;

/// <summary>Good values of one loop, at most <see cref="Most"/>.</summary>
internal sealed class SeenTokens
{
    public const int Most = 512;

    private readonly byte[] tokens = new byte[Most * StickyKey.TokenLength];
    private readonly Meaning[] meanings = new Meaning[Most];

    /// <summary>What a value was found to mean.</summary>
    /// <param name="Tag">The endpoint's.</param>
    /// <param name="IsGood">False: there is nothing.</param>
    /// <param name="IsCurrent">Whether it was written with the key of now.</param>
    public readonly record struct Meaning(ulong Tag, bool IsGood, bool IsCurrent);

    public Meaning Find(ReadOnlySpan<byte> token)
    {
        var at = PlaceOf(token);
        return CryptographicOperations.FixedTimeEquals(Token(at), token) ? meanings[at] : default;
    }

    public void Remember(ReadOnlySpan<byte> token, Meaning meaning)
    {
        var at = PlaceOf(token);
        token.CopyTo(Token(at));
        meanings[at] = meaning;
    }

    // By the nonce, which the client knows anyway.
    private static int PlaceOf(ReadOnlySpan<byte> token) => (int)(BinaryPrimitives.ReadUInt32LittleEndian(token) % Most);

    private Span<byte> Token(int at) => tokens.AsSpan(at * StickyKey.TokenLength, StickyKey.TokenLength);
}
