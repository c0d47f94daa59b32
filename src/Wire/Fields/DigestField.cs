// Digests as fields tell them, and which ones a peer would like to be told. RFC 9530 §2, §3, §4.

using System.Buffers;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using Weir.Wire.Bytes;

namespace Weir.Wire.Fields;

/// <summary>Algorithms that are known here (RFC 9530 §5); others are passed over. The stronger is the greater.</summary>
public enum DigestAlgorithm : byte
{
    None,
    Sha256,
    Sha512,
}

/// <summary>A digest of any of the algorithms.</summary>
[InlineArray(DigestField.MostBytes)]
public struct DigestBytes
{
    private byte first;
}

/// <summary>The digests of one field, line by line. A field of which one line is no dictionary tells none.</summary>
public struct DigestValues
{
    private DigestBytes sha256;
    private DigestBytes sha512;
    private bool has256;
    private bool has512;

    /// <summary>Whether a line was no dictionary.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>The strongest algorithm that is told.</summary>
    public readonly DigestAlgorithm Strongest => IsBroken ? DigestAlgorithm.None : has512 ? DigestAlgorithm.Sha512 : has256 ? DigestAlgorithm.Sha256 : DigestAlgorithm.None;

    public readonly bool Has(DigestAlgorithm algorithm) => !IsBroken && (algorithm == DigestAlgorithm.Sha512 ? has512 : algorithm == DigestAlgorithm.Sha256 && has256);

    /// <summary>Whether it tells this digest; where it tells none of the algorithm, nothing contradicts.</summary>
    public readonly bool Agrees(DigestAlgorithm algorithm, ReadOnlySpan<byte> digest)
    {
        if (!Has(algorithm)) return true;
        if (algorithm == DigestAlgorithm.Sha512) return ((ReadOnlySpan<byte>)sha512).SequenceEqual(digest);
        return ((ReadOnlySpan<byte>)sha256)[..DigestField.Size(algorithm)].SequenceEqual(digest);
    }

    /// <summary>Adds a line. What is not of its algorithm's length is no digest of it.</summary>
    public void Read(ReadOnlySpan<byte> line)
    {
        var members = new StructuredDictionary(line);
        Span<byte> decoded = stackalloc byte[DigestField.MostBytes + 2];
        while (members.MoveNext())
        {
            var algorithm = DigestField.Find(members.Key);
            if (algorithm == DigestAlgorithm.None) continue;
            var size = DigestField.Size(algorithm);
            var isGood = members.Kind == StructuredKind.Binary
                && Base64.DecodeFromUtf8(members.Text, decoded, out _, out var written) == OperationStatus.Done && written == size;
            // The last of a name counts (RFC 8941 §4.2.2).
            if (algorithm == DigestAlgorithm.Sha512) has512 = isGood;
            else has256 = isGood;
            if (isGood && algorithm == DigestAlgorithm.Sha512) decoded[..size].CopyTo(sha512);
            else if (isGood) decoded[..size].CopyTo(sha256);
        }

        IsBroken |= members.IsBroken;
    }
}

/// <summary>How much a peer would like each algorithm: 1 to 10; 0: not.</summary>
public struct DigestWeights
{
    private byte sha256;
    private byte sha512;
    private bool isBroken;

    public readonly int Of(DigestAlgorithm algorithm) => isBroken ? 0 : algorithm == DigestAlgorithm.Sha512 ? sha512 : algorithm == DigestAlgorithm.Sha256 ? sha256 : 0;

    /// <summary>Adds a line. What is no integer from 0 to 10 is no wish.</summary>
    public void Read(ReadOnlySpan<byte> line)
    {
        var members = new StructuredDictionary(line);
        while (members.MoveNext())
        {
            var algorithm = DigestField.Find(members.Key);
            var weight = members is { Kind: StructuredKind.Integer, Number: >= 0 and <= 10 } ? (byte)members.Number : (byte)0;
            if (algorithm == DigestAlgorithm.Sha512) sha512 = weight;
            else if (algorithm == DigestAlgorithm.Sha256) sha256 = weight;
        }

        isBroken |= members.IsBroken;
    }
}

/// <summary>Names and forms.</summary>
public static class DigestField
{
    /// <summary>The field with digests of a representation, and the one with those of a message's content.</summary>
    public static readonly byte[] ReprDigest = "Repr-Digest"u8.ToArray(), ContentDigest = "Content-Digest"u8.ToArray();

    /// <summary>Bytes of the longest digest.</summary>
    public const int MostBytes = 64;

    /// <summary>Bytes of the longest field value that is written here.</summary>
    public const int MostText = 100;

    public static ReadOnlySpan<byte> Name(DigestAlgorithm algorithm) => algorithm == DigestAlgorithm.Sha512 ? "sha-512"u8 : "sha-256"u8;

    /// <summary>Bytes of a digest.</summary>
    public static int Size(DigestAlgorithm algorithm) => algorithm == DigestAlgorithm.Sha512 ? 64 : 32;

    public static DigestAlgorithm Find(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("sha-256"u8) ? DigestAlgorithm.Sha256 : name.SequenceEqual("sha-512"u8) ? DigestAlgorithm.Sha512 : DigestAlgorithm.None;

    /// <summary>Writes a field's value.</summary>
    /// <returns>How many bytes; at most <see cref="MostText"/>.</returns>
    public static int Write(DigestAlgorithm algorithm, ReadOnlySpan<byte> digest, Span<byte> into)
    {
        var to = new SpanWriter(into);
        to.Write(Name(algorithm));
        to.Write("=:"u8);
        Base64.EncodeToUtf8(digest, to.Free, out _, out var written);
        to.Advance(written);
        to.Write((byte)':');
        return to.Length;
    }
}
