// Dictionaries: whatever a client says it has, and whatever a server says its answer is for, is read or left alone, and a pattern
// holds for the same URLs however slowly it is compared.

using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Caching;
using Weir.Engine.Policies.Compression;

namespace Weir.Tests.Fuzz;

internal sealed class DictionaryTarget : Target
{
    private static readonly byte[] Own = "https://a.b/app/v1/main.js"u8.ToArray();

    public override string Name => "dictionaries";

    public override string[] Covers => ["Weir.Engine.Caching.UrlMatch", "Weir.Engine.Caching.UseAsDictionary", "Weir.Engine.Policies.Compression.VersionedPath", "Weir.Wire.Fields.StructuredDictionary"];

    public override IEnumerable<string> Examples =>
    [
        "match=\"/app/*/main.js\", match-dest=(\"script\" \"style\"), id=\"x\", type=raw\n/app/v2/main.js?x", "match=\"main*.js?q=*\"\n/app/v1/main.3f2a9c81.js?q=1",
        "match=\"https://a.b/a\\\\*b\"\n/a*b", ":pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=:\n/jquery-3.7.1.min.js", "match=\"/a*a*a*b\";x=1\n/aaaaaaaa",
    ];

    public override string[] Words => ["match=\"", "match-dest=(", "type=raw", "id=\"", "\"", "\\", "*", "/", "?", "\n", ":", "=:", "https://a.b/", ".js", ".3f2a9c81"];

    public override int MostBytes => 1500;

    public override void Check(byte[] input)
    {
        var end = Array.IndexOf(input, (byte)'\n');
        var value = end < 0 ? input : input[..end];
        var path = end < 0 ? [] : input[(end + 1)..];
        var hash = new byte[32];
        if (DictionaryCoding.TryParse(value, hash)) Must(Convert.FromBase64String(Encoding.ASCII.GetString(value).Trim(' ', ':')).AsSpan().SequenceEqual(hash), "a hash of other bytes");
        Pattern(path);
        if (!UseAsDictionary.TryParse(value, Own, out var match)) return;
        if (Array.IndexOf(path, (byte)'/') != 0) return;
        var url = Encoding.Latin1.GetBytes("https://a.b" + Encoding.Latin1.GetString(path));
        Must(match.Holds(url) == match.Holds(url), "it changes its mind");
    }

    // What is made of a path is a pattern that holds for the path; and it compares as an expression does.
    private static void Pattern(byte[] path)
    {
        var into = new byte[path.Length];
        if (!VersionedPath.TryWriteMatch(path, into, out var length) || path.Length > UrlMatch.MostCompared) return;
        var pattern = into[..length];
        Must(length <= path.Length, "a pattern longer than its path");
        if (!UrlMatch.TryParse(pattern, Own, out var match))
        {
            Must(length > UrlMatch.MostBytes, $"no pattern: {Encoding.Latin1.GetString(pattern)}");
            return;
        }

        Must(match.Holds([.. "https://a.b"u8, .. path]), $"{Encoding.Latin1.GetString(pattern)} is not for its own path");
        var expression = new Regex("\\A" + Regex.Escape(Encoding.Latin1.GetString(pattern)).Replace("\\*", ".*", StringComparison.Ordinal) + "\\z", RegexOptions.Singleline | RegexOptions.NonBacktracking);
        path.AsSpan().Reverse();
        if (path.Length > 0 && path[0] == '/') Must(match.Holds([.. "https://a.b"u8, .. path]) == expression.IsMatch(Encoding.Latin1.GetString(path)), $"{Encoding.Latin1.GetString(pattern)} compares otherwise");
    }
}
