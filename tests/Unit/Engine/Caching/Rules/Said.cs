// Fields, times and verdicts from text.

using System.Globalization;
using System.Text;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

internal static class Said
{
    /// <summary>When responses come, unless it is said otherwise.</summary>
    public static readonly DateTime Noon = new(2026, 11, 25, 12, 0, 0, DateTimeKind.Utc);

    /// <summary>Fields of a response; whole lines.</summary>
    public static FieldBlock Fields(params string[] lines)
    {
        var bytes = Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");
        var head = new ResponseHead();
        head.Clear();
        Assert.Equal(ParseStatus.Done, ResponseParser.Parse(bytes, HeadLimits.Default, KnownMethod.Get, head, out _));
        var fields = new FieldBlock();
        fields.Reset(bytes, 0, head.Fields);
        return fields;
    }

    /// <summary>Fields of a request, made by the real parser.</summary>
    public static FieldBlock Request(params string[] lines) => Requests.Get("/", lines).Request.Fields;

    /// <summary>An HTTP date, seconds from noon.</summary>
    public static string Date(int seconds) => Noon.AddSeconds(seconds).ToString("R", CultureInfo.InvariantCulture);

    public static CacheControl Asked(params string[] lines) => RequestDirectives.Read(Request(lines), CacheRules.Default);

    /// <summary>Judges a response to a plain GET that came at noon.</summary>
    public static StoreVerdict Judge(int status, params string[] lines) => Judge(CacheRules.Default, status, lines);

    public static StoreVerdict Judge(CacheRules rules, int status, params string[] lines) =>
        StoreDecision.Judge(KnownMethod.Get, Request(), default, status, Fields(lines), rules, Noon, Noon);

    /// <summary>Stored lines from a response's.</summary>
    public static byte[] Stored(params string[] lines)
    {
        var fields = Fields(lines);
        var into = new byte[StoredFields.Bound(fields)];
        return into[..StoredFields.Write(fields, into)];
    }
}
