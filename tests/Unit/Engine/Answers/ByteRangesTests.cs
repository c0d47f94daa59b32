using Weir.Engine.Answers;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Answers;

public sealed class ByteRangesTests
{
    private static readonly DateTime Modified = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private static string Several(string range, long length = 1000, string more = "X: y")
    {
        var into = new PartRange[ByteRanges.MostParts];
        var count = ByteRanges.ChooseSeveral(Requests.Get("/", $"Range: {range}", more).Request, "\"t\""u8, Modified, length, Modified.AddDays(1), into);
        return count <= 0 ? $"{count}" : string.Join(' ', into.Take(count).Select(static p => $"{p.First}+{p.Count}"));
    }

    [Theory]
    [InlineData("bytes=0-1,500-501", "0+2 500+2")]
    [InlineData("bytes=500-501, 0-1", "500+2 0+2")]
    [InlineData("bytes=-1, 0-0", "999+1 0+1")]
    [InlineData("bytes=0-1, 2-3", "0+4")]
    [InlineData("bytes=0-1, 50-60", "0+61")] // Near enough.
    [InlineData("bytes=0-1, 500-501, 300-400, 400-600", "0+2 300+301")]
    [InlineData("bytes=0-1, 500-501, 0-", "0+1000")]
    [InlineData("bytes=0-1, 5000-", "0+2")]
    [InlineData("bytes=5000-, 6000-", "-1")]
    [InlineData("bytes=-0, -0", "-1")]
    [InlineData("bytes=0-1", "0")]
    [InlineData("bytes=0-1, x", "0")]
    [InlineData("bytes=0-1, 5-4", "0")]
    [InlineData("bytes=,", "0")]
    [InlineData("lines=0-1, 500-501", "0")]
    [InlineData("bytes=0-0,100-100,200-200,300-300,400-400,500-500,600-600,700-700,800-800,900-900,0-0,0-0,0-0,0-0,0-0,0-0", "0+1 100+1 200+1 300+1 400+1 500+1 600+1 700+1 800+1 900+1")]
    [InlineData("bytes=0-0,100-100,200-200,300-300,400-400,500-500,600-600,700-700,800-800,900-900,0-0,0-0,0-0,0-0,0-0,0-0,0-0", "0")] // One too many.
    public void Several_ranges_are_chosen_in_their_order(string range, string parts) => Assert.Equal(parts, Several(range));

    [Fact]
    public void Several_ranges_are_under_the_same_conditions_as_one()
    {
        Assert.Equal("0+2 500+2", Several("bytes=0-1,500-501", more: "If-Range: \"t\""));
        Assert.Equal("0", Several("bytes=0-1,500-501", more: "If-Range: \"u\""));
        Assert.Equal("0", Several("bytes=0-1,500-501", more: "Range: bytes=0-1"));
        Assert.Equal("0", Several("bytes=0-1,-5", length: 0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_is_chosen_is_what_is_asked_for(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 500; round++)
        {
            var asked = Enumerable.Range(0, random.Next(2, ByteRanges.MostParts + 1)).Select(_ => (First: random.Next(0, 3000), Length: random.Next(1, 400))).ToArray();
            var into = new PartRange[ByteRanges.MostParts];
            var request = Requests.Get("/", "Range: bytes=" + string.Join(',', asked.Select(static r => $"{r.First}-{r.First + r.Length - 1}"))).Request;
            Assert.Equal(KnownMethod.Get, request.KnownMethod);
            var count = ByteRanges.ChooseSeveral(request, default, Modified, 2000, Modified, into);
            var parts = into.Take(Math.Max(count, 0)).ToArray();
            Assert.All(asked.Where(static r => r.First < 2000), r => Assert.Contains(parts, p => p.First <= r.First && Math.Min(2000, r.First + r.Length) <= p.First + p.Count));
            Assert.All(parts, p => Assert.All(parts, q => Assert.True(p == q || p.First + p.Count < q.First || q.First + q.Count < p.First)));
        }
    }
}
