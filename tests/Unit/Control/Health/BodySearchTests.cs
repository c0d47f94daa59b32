using System.Text;
using Weir.Control.Health;

namespace Weir.Tests.Unit.Control.Health;

public class BodySearchTests
{
    [Theory]
    [InlineData("status: ok, all is well", "ok", true)]
    [InlineData("ok", "ok", true)]
    [InlineData("o", "ok", false)]
    [InlineData("", "ok", false)]
    [InlineData("ababac", "abac", true)]
    [InlineData("aaaaaab", "aaab", true)]
    [InlineData("aaaaaaa", "aaab", false)]
    [InlineData("kokoko", "ok", true)]
    [InlineData("x", "x", true)]
    [InlineData("y", "x", false)]
    public void A_text_is_found_wherever_the_pieces_are_cut(string body, string wanted, bool isThere)
    {
        var bytes = Encoding.ASCII.GetBytes(body);
        for (var a = 0; a <= bytes.Length; a++)
        {
            for (var b = a; b <= bytes.Length; b++)
            {
                var search = new BodySearch(Encoding.ASCII.GetBytes(wanted), 1000);
                search.Feed(bytes.AsSpan(0, a));
                search.Feed(bytes.AsSpan(a, b - a));
                search.Feed(bytes.AsSpan(b));
                Assert.Equal(isThere, search.IsFound);
            }
        }

        var byByte = new BodySearch(Encoding.ASCII.GetBytes(wanted), 1000);
        foreach (var one in bytes) byByte.Feed([one]);
        Assert.Equal(isThere, byByte.IsFound);
    }

    [Theory]
    [InlineData(98, true)]
    [InlineData(99, false)]
    public void What_does_not_end_within_the_limit_is_not_found(int before, bool isThere)
    {
        var body = Encoding.ASCII.GetBytes(new string('.', before) + "ok" + new string('.', 50));
        foreach (var size in new[] { 1, 3, 64, 200 })
        {
            var search = new BodySearch("ok"u8.ToArray(), 100);
            foreach (var piece in body.Chunk(size)) search.Feed(piece);
            Assert.Equal(isThere, search.IsFound);
            Assert.True(search.IsOver);
        }
    }

    [Fact]
    public void Before_the_limit_more_may_come()
    {
        var search = new BodySearch("ok"u8.ToArray(), 100);
        search.Feed(new byte[99]);
        Assert.False(search.IsOver);
        search.Feed(new byte[1]);
        Assert.True(search.IsOver);
        Assert.False(search.IsFound);
    }
}
