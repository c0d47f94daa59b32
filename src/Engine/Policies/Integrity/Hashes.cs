// What hashes a body as it passes: one algorithm, or all where only the body's end tells which one counts.

using System.Security.Cryptography;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Integrity;

/// <summary>Running hashes. Reused; one loop's. Allocates nothing but on first use.</summary>
internal sealed class Hashes : IDisposable
{
    private IncrementalHash? sha256;
    private IncrementalHash? sha512;
    private bool runs256;
    private bool runs512;

    /// <summary>Begins with these.</summary>
    public void Begin(bool with256, bool with512)
    {
        Stop();
        (runs256, runs512) = (with256, with512);
        if (with256) sha256 ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (with512) sha512 ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (runs256) sha256!.AppendData(bytes);
        if (runs512) sha512!.AppendData(bytes);
    }

    /// <summary>The digest so far.</summary>
    /// <param name="algorithm">One of those that it was begun with.</param>
    /// <param name="into">At least <see cref="DigestField.MostBytes"/>.</param>
    public ReadOnlySpan<byte> Current(DigestAlgorithm algorithm, Span<byte> into) =>
        into[..(algorithm == DigestAlgorithm.Sha512 ? sha512! : sha256!).GetCurrentHash(into)];

    /// <summary>Forgets what was appended.</summary>
    public void Stop()
    {
        Span<byte> nowhere = stackalloc byte[DigestField.MostBytes];
        if (runs256) sha256!.GetHashAndReset(nowhere);
        if (runs512) sha512!.GetHashAndReset(nowhere);
        runs256 = runs512 = false;
    }

    public void Dispose()
    {
        sha256?.Dispose();
        sha512?.Dispose();
    }
}
