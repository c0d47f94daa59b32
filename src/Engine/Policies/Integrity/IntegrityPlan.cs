// What a route does about digests (RFC 9530), compiled. Immutable.

using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Integrity;

/// <summary>A route's integrity.</summary>
public sealed record IntegrityPlan
{
    /// <summary>Whether bodies are looked at that come with a digest.</summary>
    public bool Verifies { get; init; } = true;

    /// <summary>Whether clients are told digests where they ask for them.</summary>
    public bool Generates { get; init; }

    /// <summary>The algorithms, the usual one first.</summary>
    public DigestAlgorithm[] Algorithms { get; init; } = [DigestAlgorithm.Sha256, DigestAlgorithm.Sha512];
}
