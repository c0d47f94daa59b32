// The hashes of what is downloaded, while it comes; and what its origin says that they must be (RFC 9530 §3).

using System.Security.Cryptography;

namespace Weir.Control.Downloads;

/// <summary>SHA-256 always, SHA-512 where the origin tells no other.</summary>
internal sealed class Digests : IDisposable
{
    private IncrementalHash sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private IncrementalHash? sha512;

    /// <summary>Bytes that are in them.</summary>
    public long Count { get; private set; }

    /// <summary>Begins anew, with what is needed for a digest.</summary>
    public void Begin(string? digest)
    {
        sha256.Dispose();
        sha512?.Dispose();
        sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha512 = Find(digest, "sha-256") is null && Find(digest, "sha-512") is not null ? IncrementalHash.CreateHash(HashAlgorithmName.SHA512) : null;
        Count = 0;
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        sha256.AppendData(bytes);
        sha512?.AppendData(bytes);
        Count += bytes.Length;
    }

    /// <summary>Takes what a sink has; what is wrong, or null.</summary>
    public string? Take(DownloadSink sink, string? digest, CancellationToken cancel)
    {
        Begin(digest);
        Count = sink.Length;
        return sink.HashInto(sha512 is null ? [sha256] : [sha256, sha512], cancel);
    }

    public byte[] Sha256() => sha256.GetCurrentHash();

    /// <summary>Whether it is what a Repr-Digest says; null: that tells nothing that is known here.</summary>
    public bool? Fits(string? digest)
    {
        if (Find(digest, "sha-256") is { } wanted) return wanted.AsSpan().SequenceEqual(sha256.GetCurrentHash());
        return sha512 is not null && Find(digest, "sha-512") is { } other ? other.AsSpan().SequenceEqual(sha512.GetCurrentHash()) : null;
    }

    public void Dispose()
    {
        sha256.Dispose();
        sha512?.Dispose();
    }

    /// <summary>One algorithm's value of a digest field; null: it is not there, or is none.</summary>
    internal static byte[]? Find(string? digest, string algorithm)
    {
        foreach (var member in (digest ?? "").Split(','))
        {
            if (member.Split('=', 2) is not [var name, var value] || !name.Trim().Equals(algorithm, StringComparison.Ordinal)) continue;
            value = value.Trim().Split(';')[0].Trim();
            if (value.Length < 2 || value[0] != ':' || value[^1] != ':') return null;
            var bytes = new byte[value.Length];
            return Convert.TryFromBase64String(value[1..^1], bytes, out var count) && count == (algorithm == "sha-256" ? 32 : 64) ? bytes[..count] : null;
        }

        return null;
    }
}
