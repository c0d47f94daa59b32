// A second opinion on HTTP/1.1 framing: a reader that accepts only what cannot be read in two ways, written without the
// proxy's own parser. What the proxy sends to either side must pass here.

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Tests.Support;

/// <summary>A message as the strict reader saw it.</summary>
/// <param name="StartLine">The request line or status line.</param>
/// <param name="Fields">Names and values in their order.</param>
/// <param name="Body">The content, without its framing.</param>
/// <param name="IsWhole">False where the bytes ended within it.</param>
public sealed record StrictMessage(string StartLine, List<(string Name, string Value)> Fields, string Body, bool IsWhole)
{
    public string Target => StartLine.Split(' ')[1];

    public int Status => int.Parse(StartLine.AsSpan(9, 3), CultureInfo.InvariantCulture);

    public string? Field(string name) => Fields.Where(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(f => f.Value).FirstOrDefault();
}

/// <summary>Bytes that a strict reader refuses.</summary>
public sealed class NotStrictException(string message) : Exception(message);

/// <summary>Reads messages off the front of a text of Latin-1 characters, one for each byte.</summary>
public sealed partial class StrictHttp(string text)
{
    private const string TokenCharacters = @"[!#$%&'*+.^_`|~0-9A-Za-z-]+";

    private int at;

    public bool IsAtEnd => at == text.Length;

    public string Rest => text[at..];

    /// <summary>The next request; null when the bytes end within its head.</summary>
    public StrictMessage? Request()
    {
        if (Head() is not { } head) return null;
        var (start, fields) = head;
        if (!RequestLine().IsMatch(start)) throw new NotStrictException($"request line '{start}'");
        var hosts = fields.Where(f => f.Name.Equals("host", StringComparison.OrdinalIgnoreCase)).ToArray();
        if (hosts.Length != 1) throw new NotStrictException($"{hosts.Length} Host fields in '{start}'");
        if (!HostValue().IsMatch(hosts[0].Value)) throw new NotStrictException($"Host '{hosts[0].Value}'");
        return Body(start, fields, hasBodyWithoutLength: false, endsWithConnection: false);
    }

    /// <summary>The next final response to a request of this method; null when the bytes end within its head.</summary>
    /// <param name="method">What was asked.</param>
    /// <param name="ended">Whether the connection ended in order behind the text.</param>
    /// <param name="interims">The interim responses before it.</param>
    public StrictMessage? Response(string method, bool ended, out List<StrictMessage> interims)
    {
        interims = [];
        while (true)
        {
            if (Head() is not { } head) return null;
            var (start, fields) = head;
            if (!StatusLine().IsMatch(start)) throw new NotStrictException($"status line '{start}'");
            var status = int.Parse(start.AsSpan(9, 3), CultureInfo.InvariantCulture);
            if (status is >= 100 and < 200 && status != 101)
            {
                interims.Add(new StrictMessage(start, fields, "", true));
                continue;
            }

            if (status == 101 || (method == "CONNECT" && status is >= 200 and < 300)) return new StrictMessage(start, fields, "", true);
            if (method == "HEAD" || status is 204 or 304)
            {
                _ = Framing(fields);
                return new StrictMessage(start, fields, "", true);
            }

            return Body(start, fields, hasBodyWithoutLength: true, ended);
        }
    }

    private (string Start, List<(string Name, string Value)> Fields)? Head()
    {
        var end = text.IndexOf("\r\n\r\n", at, StringComparison.Ordinal);
        if (end < 0) return null;
        var lines = text[at..end].Split("\r\n");
        at = end + 4;
        return (Line(lines[0]), Fields(lines.Skip(1)));
    }

    private static List<(string Name, string Value)> Fields(IEnumerable<string> lines)
    {
        var fields = new List<(string Name, string Value)>();
        foreach (var line in lines)
        {
            var match = FieldLine().Match(Line(line));
            if (!match.Success) throw new NotStrictException($"field line '{line}'");
            fields.Add((match.Groups[1].Value, match.Groups[2].Value));
        }

        return fields;
    }

    private static string Line(string line) =>
        line.Any(c => (c < ' ' && c != '\t') || c == 0x7f) ? throw new NotStrictException($"control byte in '{line}'") : line;

    // The length, or -1 for chunked, or -2 for neither.
    private static long Framing(List<(string Name, string Value)> fields)
    {
        var lengths = fields.Where(f => f.Name.Equals("content-length", StringComparison.OrdinalIgnoreCase)).ToArray();
        var codings = fields.Where(f => f.Name.Equals("transfer-encoding", StringComparison.OrdinalIgnoreCase)).ToArray();
        if (lengths.Length > 1) throw new NotStrictException("Content-Length twice");
        if (codings.Length > 1) throw new NotStrictException("Transfer-Encoding twice");
        if (lengths.Length + codings.Length > 1) throw new NotStrictException("Content-Length beside Transfer-Encoding");
        if (codings.Length == 1) return codings[0].Value.Equals("chunked", StringComparison.OrdinalIgnoreCase) ? -1 : throw new NotStrictException($"Transfer-Encoding '{codings[0].Value}'");
        if (lengths.Length == 0) return -2;
        return Digits().IsMatch(lengths[0].Value) && long.TryParse(lengths[0].Value, CultureInfo.InvariantCulture, out var length) ? length : throw new NotStrictException($"Content-Length '{lengths[0].Value}'");
    }

    private StrictMessage Body(string start, List<(string Name, string Value)> fields, bool hasBodyWithoutLength, bool endsWithConnection)
    {
        var length = Framing(fields);
        if (length == -2)
        {
            if (!hasBodyWithoutLength) return new StrictMessage(start, fields, "", true);
            var rest = Rest;
            at = text.Length;
            return new StrictMessage(start, fields, rest, endsWithConnection);
        }

        if (length >= 0)
        {
            var here = (int)Math.Min(length, text.Length - at);
            at += here;
            return new StrictMessage(start, fields, text[(at - here)..at], here == length);
        }

        var body = new StringBuilder();
        while (true)
        {
            var end = text.IndexOf("\r\n", at, StringComparison.Ordinal);
            if (end < 0) return Cut();
            var size = text[at..end];
            if (!ChunkSize().IsMatch(size)) throw new NotStrictException($"chunk size '{size}'");
            var count = int.Parse(size, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (count == 0)
            {
                var stop = text.IndexOf("\r\n\r\n", end, StringComparison.Ordinal);
                if (stop < 0) return Cut();
                var trailers = stop == end ? [] : Fields(text[(end + 2)..stop].Split("\r\n"));
                foreach (var (name, _) in trailers)
                {
                    if (Framed().IsMatch(name)) throw new NotStrictException($"trailer '{name}'");
                }

                at = stop + 4;
                return new StrictMessage(start, [.. fields, .. trailers], body.ToString(), true);
            }

            if (text.Length < end + 2 + count + 2) return Cut();
            body.Append(text, end + 2, count);
            at = end + 2 + count;
            if (text[at] != '\r' || text[at + 1] != '\n') throw new NotStrictException("chunk without its end");
            at += 2;
        }

        StrictMessage Cut()
        {
            at = text.Length;
            return new StrictMessage(start, fields, body.ToString(), false);
        }
    }

    [GeneratedRegex(@"\A" + TokenCharacters + @" [\x21-\x7e\x80-\xff]+ HTTP/1\.1\z")]
    private static partial Regex RequestLine();

    [GeneratedRegex(@"\AHTTP/1\.1 [1-9][0-9]{2} [\t\x20-\x7e\x80-\xff]*\z")]
    private static partial Regex StatusLine();

    [GeneratedRegex(@"\A(" + TokenCharacters + @"):[ \t]*(|[^ \t](?:.*[^ \t])?)[ \t]*\z", RegexOptions.Singleline)]
    private static partial Regex FieldLine();

    [GeneratedRegex(@"\A(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?\z")]
    private static partial Regex HostValue();

    [GeneratedRegex(@"\A[0-9]{1,19}\z")]
    private static partial Regex Digits();

    [GeneratedRegex(@"\A[0-9A-Fa-f]{1,7}\z")]
    private static partial Regex ChunkSize();

    [GeneratedRegex(@"\A(?:content-length|transfer-encoding|host|connection|trailer|te|upgrade|expect)\z", RegexOptions.IgnoreCase)]
    private static partial Regex Framed();
}
