using System.Text;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Wire;

public class ChunkedTests
{
    [Theory]
    [InlineData("5\r\nhello\r\n0\r\n\r\n", "hello", 0)]
    [InlineData("5;a=b;c=\"d\"\r\nhello\r\n000\r\n\r\n", "hello", 0)]
    [InlineData("1\r\na\r\n1\r\nb\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "ab0123456789", 2)]
    [InlineData("5 \t;a=b ; c = d\r\nhello\r\n0 ;x\r\n\r\n", "hello", 0)]
    [InlineData("0\r\n\r\n", "", 0)]
    public void A_body_is_the_same_however_it_is_split(string text, string body, int trailers)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        for (var size = 1; size <= bytes.Length; size++)
        {
            var decoder = new ChunkedDecoder();
            Assert.Equal((ChunkStep.End, body, bytes.Length), Decode(decoder, bytes, size));
            Assert.Equal(trailers, decoder.Trailers.Count);
        }
    }

    [Theory]
    [InlineData("g\r\n")]
    [InlineData("\r\n")]
    [InlineData(";a\r\n")]
    [InlineData("5 \r\nhello\r\n0\r\n\r\n")]
    [InlineData(" 5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("0x5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("+5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5\nhello\r\n0\r\n\r\n")]
    [InlineData("5\rhello\r\n0\r\n\r\n")]
    [InlineData("5\r\nhello0\r\n\r\n")]
    [InlineData("5\r\nhello\n0\r\n\r\n")]
    [InlineData("5\r\nhello\r0\r\n\r\n")]
    [InlineData("5\r\nhello!\r\n0\r\n\r\n")]
    [InlineData("1000000000000000\r\n")]
    [InlineData("5;a=\u0001\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;a\nb\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;a=\"b\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;a=\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;a \r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;a=b \r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;a=\"b\"\t\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5 a\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5;a b\r\nhello\r\n0\r\n\r\n")]
    [InlineData("0\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("0\r\nHost: a\r\n\r\n")]
    [InlineData("0\r\nX: a\n\r\n")]
    [InlineData("0\r\nX : a\r\n\r\n")]
    [InlineData("0\r\n X: a\r\n\r\n")]
    [InlineData("0\r\nnocolon\r\n\r\n")]
    public void Bad_framing_is_refused_however_it_is_split(string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        for (var size = 1; size <= bytes.Length; size++) Assert.Equal(ChunkStep.Bad, Decode(new ChunkedDecoder(), bytes, size).Step);
    }

    [Fact]
    public void Framing_that_outweighs_the_body_is_refused()
    {
        var chunk = "1;" + new string('x', 250) + "\r\na\r\n";
        var bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(chunk, 2000)));
        Assert.Equal(ChunkStep.Bad, Decode(new ChunkedDecoder(), bytes, bytes.Length).Step);
    }

    [Theory]
    [InlineData(256, ChunkStep.End)]
    [InlineData(257, ChunkStep.Bad)]
    public void Extensions_have_a_limit(int length, ChunkStep step) =>
        Assert.Equal(step, Decode(new ChunkedDecoder(), Encoding.ASCII.GetBytes($"1;{new string('x', length)}\r\na\r\n0\r\n\r\n"), 100).Step);

    [Theory]
    [InlineData(ChunkedDecoder.MostTrailerBytes - 7, ChunkStep.End)]
    [InlineData(ChunkedDecoder.MostTrailerBytes - 6, ChunkStep.Bad)]
    public void Trailers_have_a_limit(int length, ChunkStep step) =>
        Assert.Equal(step, Decode(new ChunkedDecoder(), Encoding.ASCII.GetBytes($"0\r\nX: {new string('x', length)}\r\n\r\n"), 1000).Step);

    [Theory]
    [InlineData(0, "0\r\n")]
    [InlineData(15, "f\r\n")]
    [InlineData(16, "10\r\n")]
    [InlineData(int.MaxValue, "7fffffff\r\n")]
    public void Sizes_are_written_without_leading_zeros(int size, string text)
    {
        Span<byte> into = stackalloc byte[10];
        var length = ChunkedEncoder.WriteSize(into, size);
        Assert.Equal(text, Encoding.ASCII.GetString(into[..length]));
    }

    [Fact]
    public void Lists_are_split_at_commas_outside_quotes()
    {
        var found = new List<string>();
        foreach (var element in new ListElements(" a, \"b,\\\"c\" ,, d;x=\"1,2\" "u8)) found.Add(Encoding.ASCII.GetString(element));
        Assert.Equal(["a", "\"b,\\\"c\"", "d;x=\"1,2\""], found);
    }

    [Fact]
    public void Every_known_name_is_found_in_any_case()
    {
        for (var i = 1; i < KnownFields.Count; i++)
        {
            var name = Encoding.ASCII.GetString(KnownFields.Name((KnownField)i));
            Assert.Equal((KnownField)i, KnownFields.Lookup(Encoding.ASCII.GetBytes(name.ToUpperInvariant())));
            Assert.Equal((KnownField)i, KnownFields.Lookup(Encoding.ASCII.GetBytes(name.ToLowerInvariant())));
        }

        Assert.Equal(KnownField.Other, KnownFields.Lookup("Hosts"u8));
        Assert.Equal(KnownField.Other, KnownFields.Lookup(""u8));
    }

    // Feeds pieces of a size, always keeping what was not used, as a connection does.
    private static (ChunkStep Step, string Body, int Used) Decode(ChunkedDecoder decoder, byte[] bytes, int size)
    {
        decoder.Reset();
        var body = new StringBuilder();
        var used = 0;
        for (var end = Math.Min(size, bytes.Length); ; end = Math.Min(end + size, bytes.Length))
        {
            while (true)
            {
                var step = decoder.Next(bytes.AsSpan(used, end - used), out var framing, out var piece);
                used += framing;
                if (step == ChunkStep.Piece)
                {
                    var take = Math.Max(1, piece / 2);
                    body.Append(Encoding.Latin1.GetString(bytes, used, take));
                    decoder.Advance(take);
                    used += take;
                    continue;
                }

                if (step != ChunkStep.NeedMore) return (step, body.ToString(), used);
                break;
            }

            if (end == bytes.Length) return (ChunkStep.NeedMore, body.ToString(), used);
        }
    }
}
