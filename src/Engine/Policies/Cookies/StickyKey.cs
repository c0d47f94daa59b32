// What a sticky cookie says, so that only who has the key can read or write it, and no two values are alike:
//
//   nonce (12) ‖ hidden (8) ‖ mac (16), as base64url: 48 characters
//   hidden = tag xor HMAC-SHA256(hide, nonce)      mac = HMAC-SHA256(sign, nonce ‖ hidden)
//
// The mac is compared, in constant time, before anything is made of the rest. docs/decisions/0007-sticky.md says why.

using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace Weir.Engine.Policies.Cookies;

/// <summary>A key of sticky cookies. Immutable; any loop.</summary>
public sealed class StickyKey
{
    /// <summary>Characters of a value.</summary>
    public const int TextLength = 48;

    internal const int TokenLength = 36;

    private const int NonceLength = 12;
    private const int SignedLength = 20;

    private readonly byte[] hide;
    private readonly byte[] sign;

    /// <param name="secret">Of any length; what is used is made of it.</param>
    public StickyKey(ReadOnlySpan<byte> secret)
    {
        hide = HMACSHA256.HashData(secret, "weir sticky: hide"u8);
        sign = HMACSHA256.HashData(secret, "weir sticky: sign"u8);
    }

    /// <summary>Writes a value that names an endpoint.</summary>
    /// <param name="tag">The endpoint's.</param>
    /// <param name="text">Takes <see cref="TextLength"/> characters.</param>
    public void Write(ulong tag, Span<byte> text)
    {
        Span<byte> token = stackalloc byte[TokenLength];
        RandomNumberGenerator.Fill(token[..NonceLength]);
        BinaryPrimitives.WriteUInt64LittleEndian(token[NonceLength..], tag ^ Mask(token));
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(sign, token[..SignedLength], mac);
        mac[..(TokenLength - SignedLength)].CopyTo(token[SignedLength..]);
        Base64Url.EncodeToUtf8(token, text, out _, out _);
    }

    /// <summary>Whether a value was written with this key, and the endpoint's tag.</summary>
    /// <param name="token">What <see cref="TryDecode"/> gave.</param>
    /// <param name="tag">The endpoint's.</param>
    public bool TryRead(ReadOnlySpan<byte> token, out ulong tag)
    {
        tag = 0;
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(sign, token[..SignedLength], mac);
        if (!CryptographicOperations.FixedTimeEquals(mac[..(TokenLength - SignedLength)], token[SignedLength..])) return false;
        tag = BinaryPrimitives.ReadUInt64LittleEndian(token[NonceLength..]) ^ Mask(token);
        return true;
    }

    /// <summary>The bytes of a value of the right length and alphabet; anything else is none.</summary>
    internal static bool TryDecode(ReadOnlySpan<byte> text, Span<byte> token) =>
        text.Length == TextLength && Base64Url.DecodeFromUtf8(text, token, out var read, out var written) == OperationStatus.Done && read == TextLength && written == TokenLength;

    private ulong Mask(ReadOnlySpan<byte> token)
    {
        Span<byte> mask = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(hide, token[..NonceLength], mask);
        return BinaryPrimitives.ReadUInt64LittleEndian(mask);
    }
}
