using System.Text;
using Weir.Engine.Caching.Rules;
using Weir.Wire.Fields;
using static Weir.Tests.Unit.Engine.Caching.Rules.Said;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class StoredFieldsTests
{
    private static string Text(byte[] lines) => Encoding.Latin1.GetString(lines).TrimEnd().Replace("\r\n", "|", StringComparison.Ordinal);

    private static string Merged(string stored, string fresh)
    {
        var (lines, fields) = (Stored(stored.Split('|')), Fields(fresh.Split('|')));
        var into = new byte[lines.Length + StoredFields.Bound(fields)];
        return Text(into[..StoredFields.Merge(lines, fields, into)]);
    }

    [Theory]
    [InlineData("a: 1|B:2|a:  3 ", "a: 1|B: 2|a: 3")]
    [InlineData("Connection: a, b|a: 1|b: 2|c: 3", "c: 3")]
    [InlineData("Connection: close|Keep-Alive: a|Proxy-Connection: b|TE: c|Trailer: d|Upgrade: e|x: y", "x: y")]
    [InlineData("Proxy-Authenticate: a|Proxy-Authentication-Info: b|Proxy-Authorization: c|WWW-Authenticate: d", "WWW-Authenticate: d")]
    [InlineData("Transfer-Encoding: chunked|x: y", "x: y")]
    [InlineData("Age: 5|Date: d|Set-Cookie: e|ETag: f", "Date: d|Set-Cookie: e|ETag: f")]
    [InlineData("Connection: cache-control, vary, content-length|Cache-Control: no-store|Vary: a|Content-Length: 0", "Cache-Control: no-store|Vary: a|Content-Length: 0")]
    [InlineData("Cache-Control: no-cache=\"a, B\"|Cache-Control: max-age=1|a: 1|b: 2|c: 3", "Cache-Control: no-cache=\"a, B\"|Cache-Control: max-age=1|c: 3")]
    [InlineData("Cache-Control: private=\"set-cookie\"|Set-Cookie: a=b|c: 3", "Cache-Control: private=\"set-cookie\"|c: 3")]
    [InlineData("CDN-Cache-Control: private=\"a\"|Cache-Control: private=\"b\"|a: 1|b: 2", "CDN-Cache-Control: private=\"a\"|Cache-Control: private=\"b\"|b: 2")]
    public void What_is_stored(string response, string stored) => Assert.Equal(stored, Text(Stored(response.Split('|'))));

    [Fact]
    public void A_line_that_is_dropped_is_not_stored()
    {
        var fields = Fields("a: 1", "b: 2");
        fields.Drop(0);
        var into = new byte[64];
        Assert.Equal("b: 2", Text(into[..StoredFields.Write(fields, into)]));
    }

    [Theory]
    [InlineData("a: 1|b: 2", "b: 3", "a: 1|b: 3")]
    [InlineData("a: 1|b: 2", "B: 3|c: 4", "a: 1|B: 3|c: 4")]
    [InlineData("a: 1|a: 2|b: 3", "a: 4|a: 5", "b: 3|a: 4|a: 5")]
    [InlineData("Cache-Control: max-age=1", "Cache-Control: max-age=3600", "Cache-Control: max-age=3600")]
    [InlineData("Content-Type: text/plain", "Content-Type: text/html", "Content-Type: text/html")]
    [InlineData("Content-Location: /a", "Content-Location: /b", "Content-Location: /b")]
    [InlineData("Content-Foo: a", "Content-Foo: b", "Content-Foo: b")]
    [InlineData("Content-Encoding: gzip", "Content-Encoding: br", "Content-Encoding: gzip")]
    [InlineData("a: 1", "Content-Encoding: br|Content-Length: 5|Content-Range: bytes 0-1/2|Content-MD5: x", "a: 1")]
    [InlineData("Content-Length: 5", "Content-Length: 10", "Content-Length: 5")]
    [InlineData("Content-Range: a", "Content-Range: b", "Content-Range: a")]
    [InlineData("Content-MD5: a", "Content-MD5: b", "Content-MD5: a")]
    [InlineData("ETag: \"a\"", "ETag: W/\"a\"", "ETag: \"a\"")]
    [InlineData("a: 1", "ETag: \"a\"", "a: 1|ETag: \"a\"")]
    [InlineData("a: 1|b: 2", "Connection: a|a: 3|Keep-Alive: 5|Age: 9", "a: 1|b: 2")]
    [InlineData("a: 1|b: 2", "Cache-Control: no-cache=\"a\"|a: 3", "a: 1|b: 2|Cache-Control: no-cache=\"a\"")]
    [InlineData("Set-Cookie: a=b|Date: x", "Set-Cookie: a=c|Date: y", "Set-Cookie: a=c|Date: y")]
    public void What_a_confirmation_changes(string stored, string fresh, string merged) => Assert.Equal(merged, Merged(stored, fresh));

    [Fact]
    public void Values_are_found()
    {
        var lines = Stored("a: 1", "etag: \"x\"", "ETag: \"y\"", "Last-Modified:");
        Assert.Equal("\"x\"", Encoding.ASCII.GetString(StoredFields.Find(lines, KnownField.ETag)));
        Assert.True(StoredFields.Find(lines, KnownField.LastModified).IsEmpty);
        Assert.True(StoredFields.Find(lines, KnownField.Vary).IsEmpty);
    }
}
