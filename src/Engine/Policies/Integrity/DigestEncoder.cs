// The digest of a body that is kept: made once, behind the answers where it takes time, and kept beside the body.

using System.Security.Cryptography;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Integrity;

/// <summary>Makes one.</summary>
internal sealed class DigestEncoder(DigestAlgorithm algorithm) : BodyEncoder
{
    public static readonly DigestEncoder Sha256 = new(DigestAlgorithm.Sha256);
    public static readonly DigestEncoder Sha512 = new(DigestAlgorithm.Sha512);

    public override byte[] Coding { get; } = DigestField.Name(algorithm).ToArray();

    public override long MostLength => long.MaxValue;

    // A tenth of a millisecond.
    public override long Quick => 64 << 10;

    public override int WantedEnough => 1;

    public static DigestEncoder Of(DigestAlgorithm algorithm) => algorithm == DigestAlgorithm.Sha512 ? Sha512 : Sha256;

    public override int MostMade(long length) => DigestField.Size(algorithm);

    public override bool TryEncode(long length, int pieces, PieceAt piece, Span<byte> into, out int written)
    {
        using var hash = IncrementalHash.CreateHash(algorithm == DigestAlgorithm.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);
        for (var i = 0; i < pieces; i++) hash.AppendData(piece(i));
        written = hash.GetHashAndReset(into);
        return true;
    }
}
