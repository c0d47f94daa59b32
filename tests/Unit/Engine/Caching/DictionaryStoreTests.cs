using System.Security.Cryptography;
using System.Text;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Caching;

public class DictionaryStoreTests
{
    private static readonly byte[] Url = "https://a/app.1.js"u8.ToArray();
    private static readonly byte[] Next = "https://a/app.2.js"u8.ToArray();

    private readonly MemoryUse memory = new();

    [Fact]
    public void A_dictionary_is_found_by_its_hash_on_its_origin_for_its_urls()
    {
        var store = new DictionaryStore(memory) { MostBytes = 1 << 20 };
        var one = Make(1, 1000);
        Assert.True(store.TryPut(one, Url, Match("/app.*.js")));
        Assert.Same(one, store.Find(one.Hash, Next));
        Assert.Same(one, store.Find(one.Hash, Url));
        Assert.Null(store.Find(Make(2, 1000).Hash, Next));
        Assert.Null(store.Find(one.Hash, "https://a/other.2.js"u8));
        foreach (var other in new[] { "https://b/app.2.js", "http://a/app.2.js", "https://a:8443/app.2.js", "https://a.b/app.2.js" }) Assert.Null(store.Find(one.Hash, Encoding.ASCII.GetBytes(other)));
        Assert.Null(store.Find([], Next));
        Assert.Null(store.Find(one.Hash.AsSpan(1), Next));
        Assert.Equal((1000, 1000), (store.Bytes, memory.Bytes));
    }

    [Fact]
    public void The_same_bytes_elsewhere_on_an_origin_are_one_dictionary_and_for_what_was_said_last()
    {
        var store = new DictionaryStore(memory) { MostBytes = 1 << 20 };
        var one = Make(1, 1000);
        store.TryPut(one, Url, Match("/app.*.js"));
        store.TryPut(Make(1, 1000), "https://a/x/app.js"u8.ToArray(), Match("/x/*"));
        Assert.Equal(1, store.Count);
        Assert.Equal(1000, memory.Bytes);
        Assert.Null(store.Find(one.Hash, Next));
        Assert.NotNull(store.Find(one.Hash, "https://a/x/2"u8));
        store.TryPut(Make(1, 1000), "https://b/app.js"u8.ToArray(), Match("/*"));
        Assert.Equal(2, store.Count);
    }

    [Fact]
    public void What_was_used_longest_ago_leaves_and_nothing_goes_beyond_its_limits()
    {
        var store = new DictionaryStore(memory) { MostBytes = 3000 };
        SharedDictionary[] made = [Make(1, 1000), Make(2, 1000), Make(3, 1000), Make(4, 1000)];
        foreach (var one in made[..3]) Assert.True(store.TryPut(one, Url, Match("/*")));
        Assert.NotNull(store.Find(made[0].Hash, Next)); // Used.
        Assert.True(store.TryPut(made[3], Url, Match("/*")));
        Assert.Equal([true, false, true, true], made.Select(m => store.Find(m.Hash, Next) is not null));
        Assert.Equal((3000, 3000, 3), (store.Bytes, memory.Bytes, store.Count));
        Assert.False(store.TryPut(Make(5, 3001), Url, Match("/*")));
        Assert.Equal(3, store.Count);
        store.MostBytes = 1500;
        Assert.Equal((1000, 1000, 1), (store.Bytes, memory.Bytes, store.Count));
        store.MostBytes = 0;
        Assert.Equal((0, 0, 0), (store.Bytes, memory.Bytes, store.Count));
    }

    [Fact]
    public void There_are_at_most_so_many_and_none_where_memory_is_short()
    {
        var store = new DictionaryStore(memory) { MostBytes = 1 << 30 };
        for (var i = 0; i <= DictionaryStore.Most; i++) Assert.True(store.TryPut(Make(i, 10), Url, Match("/*")));
        Assert.Equal(DictionaryStore.Most, store.Count);
        Assert.Null(store.Find(Make(0, 10).Hash, Next));
        Assert.True(store.Takes(DictionaryStore.MostOne));
        Assert.False(store.Takes(DictionaryStore.MostOne + 1));
        Assert.False(store.Takes(0));
        memory.Most = memory.Bytes + 10;
        Assert.False(store.TryPut(Make(-1, 21), Url, Match("/*")));
    }

    [Theory]
    [InlineData(true, 200, "https://a/app.1.js")]
    [InlineData(true, 200, "https://a/app.1.js", "Content-Encoding: identity", "Vary: Accept-Encoding")]
    [InlineData(false, 200, "http://a/app.1.js")]
    [InlineData(false, 404, "https://a/app.1.js")]
    [InlineData(false, 200, "https://a/app.1.js", "Set-Cookie: a=b")]
    [InlineData(false, 200, "https://a/app.1.js", "Content-Encoding: br")]
    [InlineData(false, 200, "https://a/app.1.js", "Vary: Accept, Cookie")]
    [InlineData(false, 200, "https://a/app.1.js", "Vary: authorization")]
    public void Only_what_is_for_all_becomes_one(bool becomes, int status, string url, params string[] fields)
    {
        var cache = new Cache("c", 1) { MemoryLimit = 1 << 20 };
        var body = new StoredBody(-1, cache.Memory);
        var content = Content(7, 300_000 / 4);
        body.Append(content);
        body.End(FaultCause.None);
        var lines = Encoding.ASCII.GetBytes(string.Concat(fields.Prepend("Use-As-Dictionary: match=\"/app.*.js\"").Select(static f => f + "\r\n")));
        var response = StoredResponse.Make(status, lines, "k"u8, VaryRule.None, [], new OriginName("o"u8.ToArray(), false, []), body, cache.Memory);
        Learning.Look(response, cache, Encoding.ASCII.GetBytes(url));
        Learning.Look(response, cache, Encoding.ASCII.GetBytes(url));
        var hash = SHA256.HashData(content);
        Assert.Equal(becomes, SpinWait.SpinUntil(() => cache.Dictionaries.Count == 1, becomes ? 20_000 : 0));
        Assert.Equal(becomes, cache.Dictionaries.Find(hash, Next)?.Content.AsSpan().SequenceEqual(content) == true);
        Assert.True(SpinWait.SpinUntil(() => response.References == 1, 20_000));
        response.LetGo();
        Assert.Equal(becomes ? content.Length : 0, cache.Memory.Bytes); // It outlives its answer.
        cache.MemoryLimit = 0;
        Assert.Equal(0, cache.Memory.Bytes);
    }

    // A body has only so many forms, and who comes too late for one takes none of the usual ones' places.
    [Fact]
    public void A_body_has_few_forms_by_dictionaries()
    {
        var body = new StoredBody(0, memory);
        for (var i = 0; i < 8; i++) Assert.Equal(1, body.Wanted([(byte)i], mostBeside: 8));
        Assert.Equal(2, body.Wanted([0], mostBeside: 8));
        Assert.Equal(0, body.Wanted([8], mostBeside: 8));
        Assert.Equal(1, body.Wanted([9], int.MaxValue));
        Assert.Equal(9, body.Forms);
        body.Unwanted([0]);
        Assert.Equal(1, body.Wanted([0], mostBeside: 8));
    }

    private static UrlMatch Match(string pattern)
    {
        Assert.True(UrlMatch.TryParse(Encoding.ASCII.GetBytes(pattern), Url, out var match));
        return match;
    }

    private static SharedDictionary Make(int seed, int length)
    {
        var content = Content(seed, length);
        return new SharedDictionary(content, SHA256.HashData(content));
    }

    private static byte[] Content(int seed, int length)
    {
        var content = new byte[length];
        new Random(seed).NextBytes(content);
        return content;
    }
}
