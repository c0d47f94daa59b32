using System.Text;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Wire;

public class RequestParserTests
{
    private const string Host = "Host: a.example\r\n";

    [Fact]
    public void A_usual_head_is_read()
    {
        var bytes = Heads.Bytes("GET /a/b?c=d HTTP/1.1\r\nHost: Example.com:8080\r\nUser-Agent:  x y \r\nAccept:\r\n\r\nrest");
        var head = new RequestHead();
        Assert.Equal((ParseStatus.Done, HeadFault.None), Heads.Request(bytes, head));
        Assert.Equal(bytes.Length - 4, head.Length);
        Assert.Equal(KnownMethod.Get, head.KnownMethod);
        Assert.Equal("/a/b", Encoding.ASCII.GetString(head.Path.Of(bytes)));
        Assert.Equal("c=d", Encoding.ASCII.GetString(head.Query.Of(bytes)));
        Assert.Equal("Example.com", Encoding.ASCII.GetString(head.Host.Of(bytes)));
        Assert.Equal(8080, head.Port);
        Assert.Equal("x y", Encoding.ASCII.GetString(head.Fields.Value(bytes, 1)));
        Assert.Equal("", Encoding.ASCII.GetString(head.Fields.Value(bytes, 2)));
        Assert.True(head.KeepAlive);
        Assert.Equal(BodyFraming.None, head.Framing);
    }

    public static TheoryData<string, HeadFault> Refused() => new()
    {
        { "GET / HTTP/1.1\n" + Host + "\r\n", HeadFault.BareLf },
        { "GET / HTTP/1.1\r\n" + "Host: a\n\r\n", HeadFault.BareLf },
        { "GET / HTTP/1.1\r\n" + Host + "\n", HeadFault.BareLf },
        { "GET / HTTP/1.1\r" + Host, HeadFault.BareCr },
        { "GET / HTTP/1.1\r\n" + Host + "X: a\rb\r\n\r\n", HeadFault.BareCr },
        { "GET / HTTP/1.1\r\n" + Host + "X: a\0b\r\n\r\n", HeadFault.ControlByte },
        { "GET / HTTP/1.1\r\n" + Host + "X: a\u0001b\r\n\r\n", HeadFault.ControlByte },
        { "GET / HTTP/1.1\r\n" + Host + "X: a\u007fb\r\n\r\n", HeadFault.ControlByte },
        { "GET / HTTP/1.1\r\n" + Host + "X: a\r\n folded\r\n\r\n", HeadFault.ObsFold },
        { "GET / HTTP/1.1\r\n" + Host + "X: a\r\n\tfolded\r\n\r\n", HeadFault.ObsFold },
        { "GET / HTTP/1.1\r\n " + Host + "\r\n", HeadFault.ObsFold },
        { "GET / HTTP/1.1\r\n" + Host + "X : a\r\n\r\n", HeadFault.WhitespaceBeforeColon },
        { "GET / HTTP/1.1\r\n" + Host + "X\t: a\r\n\r\n", HeadFault.WhitespaceBeforeColon },
        { "GET / HTTP/1.1\r\n" + Host + ": a\r\n\r\n", HeadFault.BadFieldName },
        { "GET / HTTP/1.1\r\n" + Host + "X(: a\r\n\r\n", HeadFault.BadFieldName },
        { "GET / HTTP/1.1\r\n" + Host + "X\u00e9: a\r\n\r\n", HeadFault.BadFieldName },
        { "GET / HTTP/1.1\r\n" + Host + "content_length: 1\r\n\r\n", HeadFault.BadFieldName },
        { "GET / HTTP/1.1\r\n" + Host + "Transfer_Encoding: chunked\r\n\r\n", HeadFault.BadFieldName },
        { "GET / HTTP/1.1\r\n" + Host + "Content.Length: 1\r\n\r\n", HeadFault.BadFieldName },
        { "GET / HTTP/1.1\r\n" + Host + "transfer+encoding: chunked\r\n\r\n", HeadFault.BadFieldName },
        { new string('A', 65) + " / HTTP/1.1\r\n" + Host + "\r\n", HeadFault.MethodTooLong },
        { "GET / HTTP/1.1\r\n" + Host + "no colon\r\n\r\n", HeadFault.WhitespaceBeforeColon },
        { "GET / HTTP/1.1\r\n" + Host + "nocolon\r\n\r\n", HeadFault.MissingColon },
        { "GET  / HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadRequestLine },
        { "GET /  HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadVersion },
        { "GET / HTTP/1.1 \r\n" + Host + "\r\n", HeadFault.BadVersion },
        { " GET / HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadMethod },
        { "G(T / HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadMethod },
        { "GET\r\n" + Host + "\r\n", HeadFault.BadRequestLine },
        { "GET /\r\n" + Host + "\r\n", HeadFault.BadRequestLine },
        { "\r\n\r\nGET / HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadRequestLine },
        { "GET / http/1.1\r\n" + Host + "\r\n", HeadFault.BadVersion },
        { "GET / HTTP/1.10\r\n" + Host + "\r\n", HeadFault.BadVersion },
        { "GET / HTTP/11\r\n" + Host + "\r\n", HeadFault.BadVersion },
        { "GET / HTTP/2.0\r\n" + Host + "\r\n", HeadFault.UnsupportedVersion },
        { "GET / HTTP/0.9\r\n" + Host + "\r\n", HeadFault.UnsupportedVersion },
        { "PRI * HTTP/2.0\r\n\r\n", HeadFault.UnsupportedVersion },
        { "GET a HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "GET * HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "GET /a#b HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "GET /\u00e9 HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "GET /\"x HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "GET ftp://a/ HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "GET http://u@a/ HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadHost },
        { "GET http:/// HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadHost },
        { "CONNECT a HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "CONNECT /a HTTP/1.1\r\n" + Host + "\r\n", HeadFault.BadTarget },
        { "GET / HTTP/1.1\r\n\r\n", HeadFault.MissingHost },
        { "GET / HTTP/1.1\r\n" + Host + Host + "\r\n", HeadFault.MultipleHost },
        { "GET / HTTP/1.1\r\nHost:\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HeadFault.BadHost },
        { "GET / HTTP/1.1\r\nHost: [zz]\r\n\r\n", HeadFault.BadHost },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", HeadFault.MultipleContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 1, 1\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: +1\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: -1\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 0x1\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 1 1\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length:\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 99999999999999999999\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 9223372036854775808\r\n\r\n", HeadFault.BadContentLength },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HeadFault.LengthAndCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: gzip\r\n\r\n", HeadFault.UnknownCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: identity\r\n\r\n", HeadFault.UnknownCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: gzip, chunked\r\n\r\n", HeadFault.UnknownCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: chunked, gzip\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: chunked, chunked\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: , chunked\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: chunked,\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding:\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: \"chunked\"\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: xchunked\r\n\r\n", HeadFault.UnknownCoding },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: chunked;q=1\r\n\r\n", HeadFault.BadCoding },
        { "POST / HTTP/1.0\r\n" + Host + "Transfer-Encoding: chunked\r\n\r\n", HeadFault.CodingInHttp10 },
        { "POST / HTTP/1.1\r\n" + Host + "Expect: 200-maybe\r\n\r\n", HeadFault.UnknownExpectation },
        { "GET / HTTP/1.1\r\n" + Host + "Connection: a b\r\n\r\n", HeadFault.BadConnection },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_two_parties_could_read_differently_is_refused(string text, HeadFault fault)
    {
        var head = new RequestHead();
        Assert.Equal((ParseStatus.Bad, fault), Heads.Request(Heads.Bytes(text), head));
        Assert.Equal((ParseStatus.Bad, fault), Heads.RequestBytewise(Heads.Bytes(text), head));
    }

    public static TheoryData<string, BodyFraming> Accepted() => new()
    {
        { "\r\nGET / HTTP/1.1\r\n" + Host + "\r\n", BodyFraming.None },
        { "GET / HTTP/1.0\r\n\r\n", BodyFraming.None },
        { "GET / HTTP/1.9\r\n" + Host + "\r\n", BodyFraming.None },
        { "OPTIONS * HTTP/1.1\r\n" + Host + "\r\n", BodyFraming.None },
        { "GET http://a.example HTTP/1.1\r\n" + Host + "\r\n", BodyFraming.None },
        { "GET HTTPS://a.example:1/x?y HTTP/1.1\r\nHost: other\r\n\r\n", BodyFraming.None },
        { "CONNECT a.example:443 HTTP/1.1\r\n" + Host + "\r\n", BodyFraming.None },
        { "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", BodyFraming.None },
        { "GET / HTTP/1.1\r\nHost: a_b.example:\r\n\r\n", BodyFraming.None },
        { "M-SEARCH /x HTTP/1.1\r\n" + Host + "\r\n", BodyFraming.None },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 0\r\n\r\n", BodyFraming.Length },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length: 9223372036854775807\r\n\r\n", BodyFraming.Length },
        { "POST / HTTP/1.1\r\n" + Host + "Content-Length:\t00012 \r\n\r\n", BodyFraming.Length },
        { "POST / HTTP/1.1\r\n" + Host + "Transfer-Encoding: Chunked\r\n\r\n", BodyFraming.Chunked },
        { "POST / HTTP/1.1\r\n" + Host + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", BodyFraming.Length },
        { "POST / HTTP/1.0\r\nExpect: nonsense\r\n\r\n", BodyFraming.None },
        { "GET / HTTP/1.1\r\n" + Host + "X: caf\u00e9\r\n\r\n", BodyFraming.None },
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public void What_is_right_is_accepted_however_it_is_split(string text, BodyFraming framing)
    {
        var bytes = Heads.Bytes(text);
        var head = new RequestHead();
        Assert.Equal((ParseStatus.Done, HeadFault.None), Heads.Request(bytes, head));
        Assert.Equal(framing, head.Framing);
        var length = head.Length;
        for (var split = 1; split < bytes.Length; split++)
        {
            head.Clear();
            Assert.Equal(ParseStatus.NeedMore, RequestParser.Parse(bytes.AsSpan(0, split), HeadLimits.Default, head, out _));
            Assert.Equal(ParseStatus.Done, RequestParser.Parse(bytes, HeadLimits.Default, head, out _));
            Assert.Equal(length, head.Length);
        }
    }

    [Theory]
    [InlineData(0, ParseStatus.Done, HeadFault.None)]
    [InlineData(1, ParseStatus.Bad, HeadFault.HeadTooLarge)]
    public void A_head_at_its_limit_passes_and_one_past_it_does_not(int more, ParseStatus status, HeadFault fault)
    {
        var text = "GET / HTTP/1.1\r\n" + Host + "X: ";
        var bytes = Heads.Bytes(text + new string('a', 1000 - text.Length - 4 + more) + "\r\n\r\n");
        Assert.Equal((status, fault), Heads.Request(bytes, new RequestHead(), new HeadLimits(1000, 500, 10)));
        Assert.Equal((status, fault), Heads.RequestBytewise(bytes, new RequestHead(), new HeadLimits(1000, 500, 10)));
    }

    [Theory]
    [InlineData(500, ParseStatus.Done, HeadFault.None)]
    [InlineData(501, ParseStatus.Bad, HeadFault.TargetTooLong)]
    [InlineData(50_000, ParseStatus.Bad, HeadFault.TargetTooLong)]
    public void A_target_at_its_limit_passes_and_one_past_it_does_not(int length, ParseStatus status, HeadFault fault)
    {
        var bytes = Heads.Bytes("GET /" + new string('a', length - 1) + " HTTP/1.1\r\n" + Host + "\r\n");
        Assert.Equal((status, fault), Heads.Request(bytes, new RequestHead(), new HeadLimits(100_000, 500, 10)));
    }

    [Fact]
    public void What_follows_a_mistake_does_not_change_what_it_is_called()
    {
        var bytes = Heads.Bytes("GET /\rx" + new string('a', 2000));
        var limits = new HeadLimits(100_000, 500, 10);
        Assert.Equal(Heads.RequestBytewise(bytes, new RequestHead(), limits), Heads.Request(bytes, new RequestHead(), limits));
    }

    [Theory]
    [InlineData(10, ParseStatus.Done, HeadFault.None)]
    [InlineData(11, ParseStatus.Bad, HeadFault.TooManyFields)]
    public void Fields_at_their_limit_pass_and_one_past_it_does_not(int count, ParseStatus status, HeadFault fault)
    {
        var fields = Host + string.Concat(Enumerable.Range(1, count - 1).Select(i => $"X{i}: y\r\n"));
        Assert.Equal((status, fault), Heads.Request(Heads.Bytes("GET / HTTP/1.1\r\n" + fields + "\r\n"), new RequestHead(), new HeadLimits(10_000, 500, 10)));
    }

    [Fact]
    public void Parsing_allocates_nothing()
    {
        var bytes = Heads.Bytes("GET /a HTTP/1.1\r\n" + Host + "Accept: */*\r\nCookie: a=b\r\nConnection: keep-alive, x\r\n\r\n");
        var head = new RequestHead();
        Heads.Request(bytes, head);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Heads.Request(bytes, head);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
