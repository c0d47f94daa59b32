using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Caching;

public class PurgeTests
{
    private static readonly DateTime Now = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly Cache cache = new("test", 1) { MemoryLimit = 1 << 24 };

    [Fact]
    public void By_url_all_variants()
    {
        Keep("http://a/1", "x");
        Keep("http://a/1", "y");
        Keep("http://a/12", "x");
        Assert.Equal(2, Run(new PurgeTarget { Url = "http://a/1" }));
        Assert.Equal(["http://a/12"], Kept());
        Assert.Equal(0, Run(new PurgeTarget { Url = "https://a/12" }));
        Assert.Equal(1, Run(new PurgeTarget { Url = "//a/12" }));
        Assert.Equal(3, cache.Counts.Purged);
    }

    [Theory]
    [InlineData("http://a/x", "http://a/x http://a/x/1 http://a/xy")]
    [InlineData("http://a/x/", "http://a/x/1")]
    [InlineData("//a/x/", "http://a/x/1 https://a/x/1")]
    [InlineData("/x/", "http://a/x/1 http://b/x/1 https://a/x/1")]
    [InlineData("http://a", "http://a/x http://a/x/1 http://a/xy")]
    public void By_prefix(string prefix, string gone)
    {
        foreach (var url in (string[])["http://a/x", "http://a/x/1", "http://a/xy", "http://b/x/1", "https://a/x/1"]) Keep(url);
        var before = Kept();
        Run(new PurgeTarget { Prefix = prefix });
        Assert.Equal(gone.Split(' '), before.Except(Kept()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void By_expression_and_all()
    {
        foreach (var url in (string[])["http://a/1.jpg", "http://a/2.png", "http://b/3.jpg"]) Keep(url);
        Assert.Equal(2, Run(new PurgeTarget { Expression = new Regex(@"\.jpg$", RegexOptions.NonBacktracking) }));
        Assert.Equal(["http://a/2.png"], Kept());
        Assert.Equal(1, Run(new PurgeTarget { All = true }));
        Assert.Empty(Kept());
        Assert.Equal(0, cache.Memory.Bytes);
    }

    [Fact]
    public void By_tag()
    {
        Keep("http://a/1", tags: "Surrogate-Key: one two");
        Keep("http://a/2", tags: "Cache-Tag: two, three");
        Keep("http://a/3");
        Assert.Equal(0, Run(new PurgeTarget { Tag = "Two" }));
        Assert.Equal(2, Run(new PurgeTarget { Tag = "two" }, PurgeManner.Dry));
        Assert.Equal(2, Run(new PurgeTarget { Tag = "two" }));
        Assert.Equal(["http://a/3"], Kept());
        Assert.Equal(0, Run(new PurgeTarget { Tag = "one" }));
    }

    [Fact]
    public void A_replaced_answer_leaves_its_tags()
    {
        Keep("http://a/1", tags: "Cache-Tag: old");
        Keep("http://a/1", tags: "Cache-Tag: new");
        Assert.Equal(0, Run(new PurgeTarget { Tag = "old" }));
        Assert.Equal(1, Run(new PurgeTarget { Tag = "new" }));
    }

    [Fact]
    public void What_is_counted_only_stays()
    {
        Keep("http://a/1");
        Assert.Equal(1, Run(new PurgeTarget { All = true }, PurgeManner.Dry));
        Assert.Equal(["http://a/1"], Kept());
        Assert.Equal(0, cache.Counts.Purged);
    }

    [Fact]
    public void Softly_it_stays_and_is_stale_and_can_be_purged_again()
    {
        Keep("http://a/1", tags: "Cache-Tag: t");
        Assert.Equal(1, Run(new PurgeTarget { Tag = "t" }, PurgeManner.Soft));
        var kept = Assert.Single(CacheView.Find(cache, "http://a/1"u8, Now)!.Responses);
        Assert.True(kept.IsOutdated);
        Assert.True(kept.FreshFor <= 0);
        Assert.Equal(1, Run(new PurgeTarget { Tag = "t" }));
        Assert.Empty(Kept());
    }

    [Theory]
    [InlineData("url")]
    [InlineData("prefix")]
    [InlineData("tag")]
    [InlineData("all")]
    public void What_is_on_its_way_is_not_kept(string by)
    {
        var fill = Begin("http://a/1", "");
        Run(by switch { "url" => new PurgeTarget { Url = "http://a/1" }, "prefix" => new PurgeTarget { Prefix = "http://a/" }, "tag" => new PurgeTarget { Tag = "t" }, _ => new PurgeTarget { All = true } });
        Assert.False(Put(fill, "Cache-Tag: t"));
        Assert.Empty(Kept());
        var later = Begin("http://a/1", "");
        Assert.True(Put(later, "Cache-Tag: t"));
        Assert.Equal(["http://a/1"], Kept());
    }

    [Fact]
    public void A_purge_by_another_tag_leaves_what_is_on_its_way()
    {
        var fill = Begin("http://a/1", "");
        Run(new PurgeTarget { Tag = "other" });
        Assert.True(Put(fill, "Cache-Tag: t"));
    }

    [Fact]
    public void Where_purges_are_forgotten_what_was_asked_for_before_them_is_not_kept()
    {
        var fill = Begin("http://a/1", "");
        for (var i = 0; i <= 1024; i++) Run(new PurgeTarget { Tag = $"t{i}" });
        Assert.False(Put(fill, "Cache-Tag: none-of-them"));
        var untagged = Begin("http://a/2", "");
        Assert.True(Put(untagged, "X: y"));
    }

    [Theory]
    [InlineData(TagIndex.MostTags, true)]
    [InlineData(TagIndex.MostTags + 1, false)]
    public void More_tags_than_are_found_again_are_not_kept(int count, bool isKept) =>
        Assert.Equal(isKept, Put(Begin("http://a/1", ""), $"Cache-Tag: {string.Join(',', Enumerable.Range(0, count))}"));

    private long Run(PurgeTarget target, PurgeManner manner = PurgeManner.Hard) => Purge.Run(cache, target, manner).Responses;

    private string[] Kept() => [.. CacheView.List(cache, new PurgeTarget { All = true }, 100, Now).Select(static o => o.Url).Order(StringComparer.Ordinal)];

    private void Keep(string url, string extra = "", string tags = "X: y") => Assert.True(Put(Begin(url, extra), tags));

    private Fill Begin(string url, string extra)
    {
        var bytes = Encoding.ASCII.GetBytes(url);
        Assert.True(cache.TryBegin(new CacheKey(KeyRecipe.HashOf(bytes), ByteRange.Of(bytes), ByteRange.Of(Encoding.ASCII.GetBytes(extra))), isJoinable: true, out var fill));
        return fill;
    }

    private bool Put(Fill fill, string field)
    {
        var body = new StoredBody(0, cache.Memory);
        body.End(FaultCause.None);
        var response = StoredResponse.Make(200, Encoding.ASCII.GetBytes(field + "\r\n"), fill.Extra, VaryRule.None, [], new OriginName([], false, []), body, cache.Memory);
        response.Times = new StoredTimes(Now, 0, 60, 0, 0, StoredTraits.None);
        var isKept = cache.TryPut(fill, response);
        response.LetGo();
        fill.Tell(FillState.Kept, null, default);
        cache.End(fill);
        return isKept;
    }
}
