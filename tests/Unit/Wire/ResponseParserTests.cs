using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Wire;

public class ResponseParserTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n", KnownMethod.Get, BodyFraming.UntilClose)]
    [InlineData("HTTP/1.1 200\r\n\r\n", KnownMethod.Get, BodyFraming.UntilClose)]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", KnownMethod.Get, BodyFraming.Length)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", KnownMethod.Head, BodyFraming.None)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", KnownMethod.Get, BodyFraming.Chunked)]
    [InlineData("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", KnownMethod.Get, BodyFraming.None)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", KnownMethod.Get, BodyFraming.None)]
    [InlineData("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", KnownMethod.Get, BodyFraming.None)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n", KnownMethod.Connect, BodyFraming.None)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", KnownMethod.Get, BodyFraming.Length)]
    public void The_end_of_the_body_is_told_as_the_rules_say(string text, KnownMethod asked, BodyFraming framing)
    {
        var head = new ResponseHead();
        Assert.Equal((ParseStatus.Done, HeadFault.None), Heads.Response(text, head, asked));
        Assert.Equal(framing, head.Framing);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\nContent-Length: 5\n\n", HeadFault.BareLf)]
    [InlineData("HTTP/1.1  200 OK\r\n\r\n", HeadFault.BadStatusLine)]
    [InlineData("HTTP/1.1 20 OK\r\n\r\n", HeadFault.BadStatusLine)]
    [InlineData("HTTP/1.1 2000 OK\r\n\r\n", HeadFault.BadStatusLine)]
    [InlineData("HTTP/1.1 099 OK\r\n\r\n", HeadFault.BadStatusLine)]
    [InlineData("HTTP/1.1 600 OK\r\n\r\n", HeadFault.BadStatusLine)]
    [InlineData("HTTP/2 200 OK\r\n\r\n", HeadFault.BadStatusLine)]
    [InlineData("HTTP/2.0 200 OK\r\n\r\n", HeadFault.UnsupportedVersion)]
    [InlineData("ICY 200 OK\r\n\r\n", HeadFault.BadStatusLine)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", HeadFault.MultipleContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\n\r\n", HeadFault.BadContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HeadFault.LengthAndCoding)]
    [InlineData("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HeadFault.CodingInHttp10)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HeadFault.UnknownCoding)]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", HeadFault.ObsFold)]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\n\r\n", HeadFault.BadUpgrade)]
    public void A_bad_origin_is_refused(string text, HeadFault fault) =>
        Assert.Equal((ParseStatus.Bad, fault), Heads.Response(text, new ResponseHead()));
}
