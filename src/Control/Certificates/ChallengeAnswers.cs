// What is shown to a CA that looks whether a name is ours. What one node shows, all nodes that share the folder show: the CA may
// come to any of them. Looking something up takes no lock and allocates nothing; the maps are replaced whole.

using System.Collections.Frozen;
using System.Text;
using Weir.Engine.Answers;
using Weir.Engine.Disk;

namespace Weir.Control.Certificates;

/// <summary>Answers to challenges. Any thread.</summary>
/// <param name="folder">Where they are shared.</param>
/// <param name="time">The clock.</param>
public sealed class ChallengeAnswers(CertificateFolder folder, TimeProvider time) : ShownProofs
{
    /// <summary>Characters of a token.</summary>
    public const int LongestToken = 128;

    /// <summary>How often other nodes look for what one shows.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    // Answers at once; whoever shows more has left them behind.
    private const int Most = 10_000;
    private const string HttpPrefix = "http.";
    private const string AlpnPrefix = "alpn.";

    // One that a crash has left.
    private static readonly TimeSpan Oldest = TimeSpan.FromHours(1);

    private readonly Lock turn = new();
    private volatile FrozenDictionary<string, byte[]> http = FrozenDictionary<string, byte[]>.Empty;
    private volatile FrozenDictionary<string, string> alpn = FrozenDictionary<string, string>.Empty;

    /// <summary>Called after names have been added to or taken from <see cref="TlsAlpn"/>; short, and never throws.</summary>
    public event Action? TlsAlpnChanged;

    /// <summary>Whether anything is shown by http-01 now.</summary>
    public override bool HasHttp => http.Count > 0;

    /// <summary>What is answered at /.well-known/acme-challenge/TOKEN; null: nothing.</summary>
    public override byte[]? Http(ReadOnlySpan<byte> token)
    {
        var map = http;
        if (map.Count == 0 || token.Length > LongestToken) return null;
        Span<char> text = stackalloc char[LongestToken];
        Encoding.Latin1.GetChars(token, text);
        return map.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text[..token.Length], out var answer) ? answer : null;
    }

    /// <summary>The file with certificate and key, in PEM, for a handshake that offers acme-tls/1 and names this server; null: there is none.</summary>
    public string? TlsAlpn(string name) => alpn.GetValueOrDefault(name);

    /// <summary>The names of <see cref="TlsAlpn"/>, each with its file.</summary>
    public IReadOnlyDictionary<string, string> AllTlsAlpn => alpn;

    /// <summary>Whether it can be a token (RFC 8555 §8.1): what else comes from a CA does not become the name of a file.</summary>
    public static bool IsToken(string? token) => token is { Length: > 0 and <= LongestToken } && token.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    internal void ShowHttp(string token, string answer) => Show(HttpPrefix + token, Encoding.ASCII.GetBytes(answer));

    internal void HideHttp(string token) => Hide(HttpPrefix + token);

    internal void ShowTlsAlpn(string name, ReadOnlySpan<byte> pem) => Show($"{AlpnPrefix}{name}.pem", pem);

    internal void HideTlsAlpn(string name) => Hide($"{AlpnPrefix}{name}.pem");

    /// <summary>Looks what other nodes show, and no more. Throws what files throw.</summary>
    public void Look() => Look(isChanged: false);

    private void Look(bool isChanged)
    {
        var changed = isChanged;
        lock (turn)
        {
            var shown = new DirectoryInfo(folder.Challenges).EnumerateFiles().Where(static f => (f.Name.StartsWith(HttpPrefix, StringComparison.Ordinal) || f.Name.StartsWith(AlpnPrefix, StringComparison.Ordinal)) && !f.Name.Contains(".aside-", StringComparison.Ordinal)).Take(Most).ToArray();
            foreach (var old in shown.Where(f => time.GetUtcNow() - f.LastWriteTimeUtc > Oldest)) old.Delete();
            var tokens = new Dictionary<string, byte[]>();
            var names = new Dictionary<string, string>();
            foreach (var file in shown)
            {
                if (file.Name.StartsWith(AlpnPrefix, StringComparison.Ordinal))
                {
                    if (file.Name.EndsWith(".pem", StringComparison.Ordinal)) names[file.Name[AlpnPrefix.Length..^4]] = file.FullName;
                }
                else if (http.GetValueOrDefault(file.Name[HttpPrefix.Length..]) is { } known)
                {
                    tokens[file.Name[HttpPrefix.Length..]] = known;
                }
                else if (PrivateFile.Read(file.FullName, 1024, out _) is { } bytes)
                {
                    tokens[file.Name[HttpPrefix.Length..]] = bytes.Span.ToArray();
                    bytes.Dispose();
                }
            }

            if (tokens.Count != http.Count || tokens.Keys.Any(t => !http.ContainsKey(t))) http = tokens.ToFrozenDictionary();
            changed |= names.Count != alpn.Count || names.Keys.Any(n => !alpn.ContainsKey(n));
            if (changed) alpn = names.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
        }

        if (changed) TlsAlpnChanged?.Invoke();
    }

    // What is on the disk is what is shown: by this node at once.
    private void Show(string file, ReadOnlySpan<byte> bytes)
    {
        var path = Path.Combine(folder.Challenges, file);
        folder.Write(path, bytes);
        Replaced(file);
        Look(isChanged: file.StartsWith(AlpnPrefix, StringComparison.Ordinal));
    }

    private void Hide(string file)
    {
        folder.Delete(Path.Combine(folder.Challenges, file));
        Replaced(file);
        Look(isChanged: file.StartsWith(AlpnPrefix, StringComparison.Ordinal));
    }

    // One that is written anew under the same name is not the one that is known.
    private void Replaced(string file)
    {
        lock (turn)
        {
            if (file.StartsWith(HttpPrefix, StringComparison.Ordinal)) http = http.Where(t => t.Key != file[HttpPrefix.Length..]).ToFrozenDictionary();
            else alpn = alpn.Where(n => n.Key != file[AlpnPrefix.Length..^4]).ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
        }
    }
}
