// What is shown to issuers of certificates that look by tls-alpn-01 (RFC 8737): for a name, a certificate that holds the proof. A
// handshake that asks for it carries nothing else, and its connection ends with it.

using System.Collections.Frozen;
using System.Text;
using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

/// <summary>Proofs by name. Swapped whole; any thread.</summary>
public sealed class AlpnProofs
{
    internal static ReadOnlySpan<byte> Protocol => "acme-tls/1"u8;

    private volatile FrozenDictionary<string, ShownCertificates> shown = FrozenDictionary<string, ShownCertificates>.Empty;

    /// <summary>Shows these, and nothing else.</summary>
    /// <param name="files">For each name the file with certificate and key, in PEM.</param>
    /// <returns>What is wrong with those that cannot be shown.</returns>
    public IReadOnlyList<string> Show(IEnumerable<KeyValuePair<string, string>> files)
    {
        var wrong = new List<string>();
        var next = new Dictionary<string, ShownCertificates>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, file) in files)
        {
            if (Read(name, file, out var trouble) is { } proof) next[name] = proof;
            else wrong.Add($"{name}: {trouble}");
        }

        var before = shown;
        shown = next.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
        foreach (var old in before.Values) old.Dispose();
        return wrong;
    }

    private static ShownCertificates? Read(string name, string file, out string trouble)
    {
        using var certificate = KeyedCertificate.TryRead(new CertificateFiles(file, file), out trouble, out _);
        if (certificate is null) return null;
        var made = ShownCertificates.TryMake([(certificate, new CertificateNames([name], []))], null, out var why);
        trouble = why.Text;
        return made;
    }

    /// <summary>Whether there are any now.</summary>
    internal bool IsEmpty => shown.Count == 0;

    /// <summary>Whether a list of protocols (RFC 7301 §3.1) asks for a proof and for nothing else.</summary>
    internal static bool IsAsked(ReadOnlySpan<byte> list) => list.Length == 3 + Protocol.Length && list[0] == 0 && list[1] == 1 + Protocol.Length && list[2] == Protocol.Length && list[3..].SequenceEqual(Protocol);

    /// <summary>The proof for a name; null: there is none.</summary>
    internal ShownCertificates? Find(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[255];
        return name.Length is > 0 and <= 255 && shown.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text[..Encoding.Latin1.GetChars(name, text)], out var found) ? found : null;
    }
}
