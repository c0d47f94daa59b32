using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Policies.Compression;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Engine.Policies.Compression;

public class RequestCodingTests
{
    private static readonly RequestCodingPlan Decompress = new() { Decompress = Codings.All };
    private static readonly RequestCodingPlan Compress = new() { Compress = new OfferedCoding(Coding.Zstd, 3) };

    [Theory]
    [InlineData("Content-Encoding: gzip", FaultCause.None, true)]
    [InlineData("Content-Encoding: x-gzip", FaultCause.None, true)]
    [InlineData("Content-Encoding: gzip, br\r\nContent-Encoding: ZSTD", FaultCause.None, true)]
    [InlineData("Content-Encoding: identity", FaultCause.None, false)]
    [InlineData("X: y", FaultCause.None, false)]
    [InlineData("Content-Encoding: deflate", FaultCause.UnknownContentCoding, false)]
    [InlineData("Content-Encoding: deflate, gzip", FaultCause.UnknownContentCoding, false)]
    [InlineData("Content-Encoding: gzip, gzip, gzip, gzip", FaultCause.UnknownContentCoding, false)]
    public void A_body_in_a_known_coding_is_decompressed_and_another_is_refused(string field, FaultCause cause, bool isDecompressed)
    {
        Served.Look(Post(field, new byte[7]), exchange =>
        {
            var coders = new BodyCoders(exchange.Loop, exchange.Buffers, new MemoryBudget(1L << 30));
            Assert.Equal(cause, RequestCoding.Apply(exchange, Decompress, coders).Cause);
            Assert.Equal(isDecompressed, exchange.SentBody is not null);
            if (!isDecompressed) return;
            Assert.Equal(-1, exchange.Request.BodyLength);
            Assert.True(exchange.Request.Fields.First(KnownField.ContentEncoding).IsEmpty);
            Assert.True(exchange.Request.Fields.First(KnownField.ContentLength).IsEmpty);
        });
    }

    [Theory]
    [InlineData("Content-Type: application/json", 2_000, true)]
    [InlineData("Content-Type: application/json", 1_023, false)]
    [InlineData("Content-Type: image/png", 2_000, false)]
    [InlineData("Content-Type: application/json\r\nContent-Encoding: gzip", 2_000, false)]
    [InlineData("Content-Type: application/json\r\nCache-Control: no-transform", 2_000, false)]
    [InlineData("Content-Type: application/json\r\nContent-Range: bytes 0-1/2", 2_000, false)]
    public void A_body_worth_it_is_compressed(string fields, int length, bool isCompressed)
    {
        Served.Look(Post(fields, Bodies.Text(length)), exchange =>
        {
            var coders = new BodyCoders(exchange.Loop, exchange.Buffers, new MemoryBudget(1L << 30));
            Assert.True(RequestCoding.Apply(exchange, Compress, coders).IsNone);
            Assert.Equal(isCompressed, exchange.SentBody is not null);
            if (!isCompressed) return;
            Assert.Equal("Content-Encoding: zstd", $"{exchange.Request.Fields.Added[0].Name}: {exchange.Request.Fields.Added[0].Value}");
            Assert.Equal(BodyStatus.Piece, exchange.SentBody!.TryRead(out var piece));
            Assert.Equal(Bodies.Text(length), Bodies.Unpack(Coding.Zstd, piece.ToArray()));
        });
    }

    [Fact]
    public void Without_memory_a_request_is_refused_that_must_be_decompressed_and_sent_as_it_is_that_may_be_compressed()
    {
        Served.Look(Post("Content-Encoding: gzip", new byte[7]), exchange => Assert.Equal(FaultCause.Exhausted, RequestCoding.Apply(exchange, Decompress, new BodyCoders(exchange.Loop, exchange.Buffers, new MemoryBudget(1))).Cause));
        Served.Look(Post("Content-Type: application/json", Bodies.Text(2_000)), exchange =>
        {
            Assert.True(RequestCoding.Apply(exchange, Compress, new BodyCoders(exchange.Loop, exchange.Buffers, new MemoryBudget(1))).IsNone);
            Assert.Null(exchange.SentBody);
        });
    }

    private static string Post(string fields, byte[] body) => $"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\nContent-Length: {body.Length}\r\n\r\n{Encoding.Latin1.GetString(body)}";
}
