// The index of a cache beside a plain dictionary: whatever is put, got, removed and made stale in whatever order, what is found is
// what was put last, nothing that was removed, and never more than may be kept.

using CsCheck;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Caching;

public class CacheModelTests
{
    private const long Limit = 40_000;

    private enum Deed
    {
        Put,
        Get,
        Remove,
        Invalidate,
        PutDoomed,
    }

    [Fact]
    public void It_finds_what_was_put_last_and_never_keeps_more_than_it_may() => Gen.Select(Gen.Enum<Deed>(), Gen.Int[0, 30], Gen.Int[0, 9_000]).List[1, 200].Sample(
        steps =>
        {
            var cache = new Cache("c", 1) { MemoryLimit = Limit };
            var model = new Dictionary<int, int>(); // What was put last, and not removed: found, or evicted.
            var version = 0;
            foreach (var (deed, key, size) in steps)
            {
                switch (deed)
                {
                    case Deed.Put:
                        Put(cache, key, ++version, size, isDoomed: false);
                        model[key] = version;
                        break;
                    case Deed.PutDoomed:
                        Put(cache, key, ++version, size, isDoomed: true);
                        model.Remove(key);
                        break;
                    case Deed.Remove when Find(cache, key) is { } there:
                        Assert.True(cache.Remove(there));
                        there.LetGo();
                        model.Remove(key);
                        break;
                    case Deed.Invalidate:
                        var url = Url(key);
                        cache.Invalidate(KeyRecipe.HashOf(url), url);
                        model.Remove(key);
                        break;
                }

                var found = 0;
                for (var i = 0; i <= 30; i++)
                {
                    if (Find(cache, i) is not { } there) continue;
                    found++;
                    Assert.True(model.TryGetValue(i, out var last) && there.Status == 200 && there.Lines.SequenceEqual(Lines(last)), $"{i}: not what was put last");
                    if (deed == Deed.Get && i == key) cache.Retention.Touch([there]);
                    there.LetGo();
                }

                Assert.Equal(found, cache.Count);
                Assert.Equal(cache.Retention.Weight, cache.Memory.Bytes);
                Assert.InRange(cache.Memory.Bytes, 0, Limit);
            }
        },
        iter: 300,
        threads: 1);

    private static byte[] Url(int key) => System.Text.Encoding.ASCII.GetBytes($"http://a/{key}");

    private static byte[] Lines(int version) => System.Text.Encoding.ASCII.GetBytes($"V: {version}\r\n");

    private static CacheKey Key(int key) => new(KeyRecipe.HashOf(Url(key)), ByteRange.Of(Url(key)), ByteRange.Of([]));

    private static StoredResponse? Find(Cache cache, int key) => cache.Find(Key(key), new FieldBlock());

    private static void Put(Cache cache, int key, int version, int size, bool isDoomed)
    {
        Assert.True(cache.TryBegin(Key(key), isJoinable: false, out var fill));
        var body = new StoredBody(size, cache.Memory);
        body.Append(new byte[size]);
        body.End(FaultCause.None);
        var response = StoredResponse.Make(200, Lines(version), [], VaryRule.None, [], new OriginName("o"u8.ToArray(), false, []), body, cache.Memory);
        response.Times = new StoredTimes(DateTime.UtcNow, 0, 1L << 32, 0, 0, StoredTraits.None);
        if (isDoomed) cache.Invalidate(KeyRecipe.HashOf(Url(key)), Url(key));
        Assert.Equal(!isDoomed, cache.TryPut(fill, response));
        cache.Settle(response);
        cache.End(fill);
        response.LetGo();
    }
}
