// Which answers are the part that was asked for.

using System.Text;
using Weir.Engine.Acceleration;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Acceleration;

public class SegmentCheckTests
{
    private const string Good = "Content-Range: bytes 100-199/1000\r\nETag: \"a\"\r\n";

    [Theory]
    [InlineData(206, Good, "Part")]
    [InlineData(200, Good, "Other")]
    [InlineData(304, Good, "Other")]
    [InlineData(412, "", "Other")]
    [InlineData(416, "Content-Range: bytes */1000\r\n", "Other")]
    [InlineData(404, "", "Other")]
    [InlineData(429, "", "TooMuch")]
    [InlineData(503, "", "TooMuch")]
    [InlineData(500, "", "Failed")]
    [InlineData(502, "", "Failed")]
    [InlineData(206, "ETag: \"a\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 101-199/1000\r\nETag: \"a\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 100-198/1000\r\nETag: \"a\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 100-199/1001\r\nETag: \"a\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 100-199/*\r\nETag: \"a\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 100-199/1000\r\nContent-Range: bytes 100-199/1000\r\nETag: \"a\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 100-199/1000\r\nETag: \"b\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 100-199/1000\r\nETag: W/\"a\"\r\n", "Other")]
    [InlineData(206, "Content-Range: bytes 100-199/1000\r\n", "Other")]
    [InlineData(206, Good + "Content-Encoding: gzip\r\n", "Other")]
    public void An_answer_is_the_part_or_it_is_not(int status, string fields, string expected) => Assert.Equal(expected, Judge(status, fields, false).ToString());

    [Theory]
    [InlineData("Content-Range: bytes 100-199/1000\r\nETag: \"mirror\"\r\nRepr-Digest: sha-256=:AA==:\r\n", "Part")]
    [InlineData("Content-Range: bytes 100-199/1000\r\nETag: \"mirror\"\r\nrepr-digest: sha-256=:BB==:\r\n", "Other")]
    [InlineData("Content-Range: bytes 100-199/1000\r\nETag: \"mirror\"\r\n", "Other")]
    [InlineData("Content-Range: bytes 100-199/1000\r\nETag: \"a\"\r\n", "Part")]
    public void A_mirror_may_show_by_a_digest_that_it_is_the_same(string fields, string expected) => Assert.Equal(expected, Judge(206, fields, true).ToString());

    [Theory]
    [InlineData("\"a\"", true)]
    [InlineData("\"\"", true)]
    [InlineData("W/\"a\"", false)]
    [InlineData("a", false)]
    [InlineData("\"", false)]
    [InlineData("", false)]
    public void A_validator_is_strong_or_it_is_not(string tag, bool strong) => Assert.Equal(strong, SegmentCheck.IsStrong(Encoding.ASCII.GetBytes(tag)));

    private static SegmentAnswer Judge(int status, string fields, bool byDigest)
    {
        var bytes = Encoding.ASCII.GetBytes($"HTTP/1.1 {status} X\r\n{fields}Content-Length: 100\r\n\r\n");
        var head = new ResponseHead();
        Assert.Equal(ParseStatus.Done, ResponseParser.Parse(bytes, HeadLimits.Default, KnownMethod.Get, head, out _));
        var response = new Response { Status = status, HasBody = true, BodyLength = 100 };
        response.Fields.Reset(bytes, 0, head.Fields);
        var whole = new Whole(ByteRange.Of("\"a\""u8.ToArray()), default, ByteRange.Of("sha-256=:AA==:"u8.ToArray()), 1000, byDigest);
        return SegmentCheck.Judge(response, whole, 100, 200);
    }
}
