// What is shown to issuers of certificates that look by tls-alpn-01 (RFC 8737): for a name, a certificate that holds the proof. A
// handshake that asks for it carries nothing else, and its connection ends with it.

using System.Collections.Frozen;
using System.Text;

namespace Weir.Engine.Tls;

/// <summary>Proofs by name. Swapped whole; any thread.</summary>
public sealed class AlpnProofs
{
    internal static ReadOnlySpan<byte> Protocol => "acme-tls/1"u8;

    private volatile FrozenDictionary<string, SslContext> contexts = FrozenDictionary<string, SslContext>.Empty;

    /// <summary>Shows these, and nothing else.</summary>
    /// <param name="files">For each name the file with certificate and key, in PEM.</param>
    /// <returns>What is wrong with those that cannot be shown.</returns>
    public IReadOnlyList<string> Show(IEnumerable<KeyValuePair<string, string>> files)
    {
        var wrong = new List<string>();
        var next = new Dictionary<string, SslContext>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, file) in files)
        {
            var context = ServerContext.TryMake(new TlsSettings(), [new CertificateFiles(file, file)], null, out var trouble);
            if (context is null) wrong.Add($"{name}: {trouble}");
            else next[name] = context;
        }

        contexts = next.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
        return wrong;
    }

    /// <summary>Whether there are any now.</summary>
    internal bool IsEmpty => contexts.Count == 0;

    /// <summary>Whether a list of protocols (RFC 7301 §3.1) asks for a proof and for nothing else.</summary>
    internal static bool IsAsked(ReadOnlySpan<byte> list) => list.Length == 3 + Protocol.Length && list[0] == 0 && list[1] == 1 + Protocol.Length && list[2] == Protocol.Length && list[3..].SequenceEqual(Protocol);

    /// <summary>The proof for a name; null: there is none.</summary>
    internal SslContext? Find(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[255];
        return name.Length is > 0 and <= 255 && contexts.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text[..Encoding.Latin1.GetChars(name, text)], out var context) ? context : null;
    }
}
