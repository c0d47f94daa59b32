// What a path asks of the origin, beside what every row asks: answers that say how they may be kept.
//   /fresh/N/…     N bytes of the pattern, good for a day, with an ETag
//   /scan/N/…      the same, counted apart
//   /slow/N/…      the same, after half a second
//   /vary/N/…      the same, and Vary: Accept-Language
//   /stale/N/…     good for no time, with an ETag: to be confirmed whenever it is asked for; in the 304 said to nginx in its own way
//   /nostore/N/…   not to be kept
//   /text/KIND/N   N bytes of html, json or js, without a word about keeping
//   /counts        requests, bytes and 304s of each so far, as JSON
// A request with the ETag in If-None-Match gets 304, wherever there is one.

using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Weir.Bench.Load;

internal enum Ask : byte
{
    Plain,
    Fresh,
    Scan,
    Slow,
    Vary,
    Stale,
    NoStore,
    Html,
    Json,
    Script,
    Counts,
}

/// <summary>What a request asks for.</summary>
/// <param name="Ask">Of what kind.</param>
/// <param name="Length">How many bytes of it.</param>
/// <param name="IsKnown">Whether the one who asks has it, by the ETag.</param>
internal readonly record struct Asked(Ask Ask, long Length, bool IsKnown)
{
    private static readonly (byte[] Prefix, Ask Ask)[] Paths =
    [
        .. new[] { ("/fresh/", Ask.Fresh), ("/scan/", Ask.Scan), ("/slow/", Ask.Slow), ("/vary/", Ask.Vary), ("/stale/", Ask.Stale), ("/nostore/", Ask.NoStore), ("/text/html/", Ask.Html), ("/text/json/", Ask.Json), ("/text/js/", Ask.Script) }
            .Select(p => (Encoding.ASCII.GetBytes(p.Item1), p.Item2)),
    ];

    public static Asked Read(ReadOnlySpan<byte> head)
    {
        var path = head[(head.IndexOf((byte)' ') + 1)..];
        if (path.StartsWith("/counts "u8)) return new Asked(Ask.Counts, 0, false);
        foreach (var (prefix, ask) in Paths)
        {
            if (!path.StartsWith(prefix) || !Utf8Parser.TryParse(path[prefix.Length..], out long length, out _)) continue;
            return new Asked(ask, length, ask < Ask.NoStore && IsKnownIn(head, length));
        }

        return default;
    }

    // Proxies write the field's name as they like.
    private static bool IsKnownIn(ReadOnlySpan<byte> head, long length)
    {
        var at = head.IndexOf("one-"u8);
        while (at >= 0 && !head[(at + 4)..].StartsWith("Match: "u8) && !head[(at + 4)..].StartsWith("match: "u8))
        {
            var next = head[(at + 4)..].IndexOf("one-"u8);
            at = next < 0 ? -1 : at + 4 + next;
        }

        if (at < 0) return false;
        var tag = head[(at + 11)..];
        if (tag.StartsWith("W/"u8)) tag = tag[2..];
        return tag.StartsWith("\"b"u8) && Utf8Parser.TryParse(tag[2..], out long n, out _) && n == length;
    }
}

/// <summary>The heads of such answers, and how many there were.</summary>
internal sealed class KeptAnswers
{
    private readonly long[] requests = new long[(int)Ask.Counts];
    private readonly long[] bytes = new long[(int)Ask.Counts];
    private readonly long[] confirmed = new long[(int)Ask.Counts];
    private readonly byte[] head = new byte[512];
    private byte[] date = [];
    private long dated = -1;

    /// <summary>The head of an answer, to be sent before the next one is asked for.</summary>
    public ReadOnlySpan<byte> Head(Asked asked)
    {
        var kind = (int)asked.Ask;
        requests[kind]++;
        if (asked.IsKnown) confirmed[kind]++;
        else bytes[kind] += asked.Length;
        var writer = new HeadWriter(head);
        writer.Add(asked.IsKnown ? "HTTP/1.1 304 Not Modified\r\n"u8 : "HTTP/1.1 200 OK\r\n"u8);
        writer.Add(Date());
        writer.Add("Server: origin\r\n"u8);
        if (asked.Ask < Ask.NoStore)
        {
            writer.Add("ETag: \"b"u8);
            writer.Add(asked.Length);
            writer.Add("\"\r\n"u8);
        }

        writer.Add(asked.Ask switch
        {
            Ask.Stale => asked.IsKnown ? "Cache-Control: max-age=0\r\nX-Accel-Expires: @1\r\n"u8 : "Cache-Control: max-age=0\r\n"u8, // The second field is nginx's alone.
            Ask.NoStore => "Cache-Control: no-store\r\n"u8,
            Ask.Vary => "Cache-Control: max-age=86400\r\nVary: Accept-Language\r\n"u8,
            >= Ask.Html => ""u8,
            _ => "Cache-Control: max-age=86400\r\n"u8,
        });
        if (!asked.IsKnown)
        {
            writer.Add(asked.Ask switch
            {
                Ask.Html => "Content-Type: text/html\r\n"u8,
                Ask.Json => "Content-Type: application/json\r\n"u8,
                Ask.Script => "Content-Type: application/javascript\r\n"u8,
                _ => "Content-Type: text/plain\r\n"u8,
            });
            writer.Add("Content-Length: "u8);
            writer.Add(asked.Length);
            writer.Add("\r\n"u8);
        }

        writer.Add("\r\n"u8);
        return head.AsSpan(0, writer.Count);
    }

    public byte[] Counts()
    {
        var each = Enumerable.Range(1, requests.Length - 1).Select(k =>
            $$"""
            "{{((Ask)k).ToString().ToLowerInvariant()}}":{"requests":{{requests[k]}},"bytes":{{bytes[k]}},"confirmed":{{confirmed[k]}}}
            """);
        var body = $"{{{string.Join(',', each)}}}";
        return Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }

    // Caches reckon ages by it.
    private byte[] Date()
    {
        var now = Environment.TickCount64 / 1000;
        if (now != dated) (dated, date) = (now, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"Date: {DateTime.UtcNow:R}\r\n")));
        return date;
    }

    private ref struct HeadWriter(Span<byte> into)
    {
        private readonly Span<byte> into = into;

        public int Count { get; private set; }

        public void Add(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(into[Count..]);
            Count += bytes.Length;
        }

        public void Add(long number)
        {
            Utf8Formatter.TryFormat(number, into[Count..], out var written);
            Count += written;
        }
    }
}
