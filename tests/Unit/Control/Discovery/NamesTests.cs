// Names that are watched, under a clock that is held: when they are looked up again, what is kept, what is told, how many at once.

using System.Net;
using System.Net.Sockets;
using Weir.Control.Discovery;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Discovery;

public sealed class NamesTests : IDisposable
{
    private static readonly ResolveSettings Settings = new([], LeastTtl: 1_000, MostTtl: 300_000);

    private readonly HeldTime time = new();
    private readonly List<string> said = [];
    private readonly Names names;
    private Lookup next = Found(10_000, "10.0.0.1");
    private int lookups;

    public NamesTests()
    {
        names = new Names((isGood, text) =>
        {
            lock (said) said.Add($"{(isGood ? "good" : "bad")}: {text}");
        }, time, (_, _, _, _) =>
        {
            Interlocked.Increment(ref lookups);
            return Task.FromResult(next);
        });
        names.Start();
    }

    public void Dispose() => names.Dispose();

    private static Lookup Found(long ttl, params string[] addresses) => Lookup.Found([.. addresses.Select(IPAddress.Parse)], [], ttl);

    private NameSubscription Follow(Action<NameWatch>? call = null, ResolveSettings? settings = null) => names.Subscribe(NameKind.Addresses, "app.internal", settings ?? Settings, call ?? (static _ => { }));

    private void Await(int count)
    {
        Eventually.Holds(() => Volatile.Read(ref lookups) == count && !names.All.Any(static w => w.IsAsking), () => $"{lookups} lookups instead of {count}");
    }

    private string[] Said
    {
        get
        {
            lock (said) return [.. said];
        }
    }

    [Theory]
    [InlineData(10_000, 10_000)]
    [InlineData(0, 1_000)]
    [InlineData(1_000, 1_000)]
    [InlineData(300_000, 300_000)]
    [InlineData(300_001, 300_000)]
    [InlineData(int.MaxValue * 1000L, 300_000)]
    public void An_answer_holds_for_its_time_within_bounds_and_up_to_a_tenth_more(long ttl, long holds)
    {
        next = Found(ttl, "10.0.0.1");
        using var subscription = Follow();
        Await(1);
        Assert.InRange(time.Next!.Value, holds, holds + (holds / 10));
        time.Advance(holds - 1);
        Await(1);
        time.Advance(1 + (holds / 10));
        Await(2);
    }

    [Fact]
    public void One_watch_is_shared_by_all_who_ask_alike()
    {
        using var one = Follow();
        using var same = names.Subscribe(NameKind.Addresses, "APP.internal", new ResolveSettings([], LeastTtl: 1_000, MostTtl: 300_000), static _ => { });
        Assert.Same(one.Watch, same.Watch);
        Await(1);
        using var other = Follow(null, Settings with { Servers = [new IPEndPoint(IPAddress.Loopback, 53)] });
        Assert.NotSame(one.Watch, other.Watch);
        Await(2);
        Assert.Equal(2, names.Count(LookupOutcome.Done));
    }

    [Fact]
    public void A_failure_keeps_the_last_good_answer_is_told_once_and_backs_off_up_to_half_a_minute()
    {
        using var subscription = Follow();
        Await(1);
        var good = subscription.Watch.Answer;
        next = Lookup.Nothing(LookupOutcome.Timeout, "nobody answers");
        var count = 1;
        time.Advance(11_000);
        Await(++count);
        foreach (var wait in new[] { 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000 })
        {
            Assert.InRange(time.Next!.Value, wait, wait * 11 / 10);
            time.Advance(wait * 11 / 10);
            Await(++count);
        }

        Assert.Same(good, subscription.Watch.Answer);
        Assert.Equal("nobody answers", subscription.Watch.Trouble);
        Assert.Equal(["bad: the name 'app.internal' cannot be resolved any more: nobody answers; what is known of it is kept: 1 address"], Said);
        Assert.Equal(count - 1, names.Count(LookupOutcome.Timeout));

        next = Found(10_000, "10.0.0.2", "10.0.0.3");
        time.Advance(33_000);
        Await(++count);
        Assert.Null(subscription.Watch.Trouble);
        Assert.Equal(2, subscription.Watch.Answer!.Addresses.Length);
        Assert.Equal("good: the name 'app.internal' is resolved again: 2 addresses", Said[^1]);
        Assert.InRange(time.Next!.Value, 10_000, 11_000);
    }

    [Theory]
    [InlineData(LookupOutcome.NotFound)]
    [InlineData(LookupOutcome.Timeout)]
    [InlineData(LookupOutcome.Failed)]
    public void Whatever_fails_removes_nothing_that_a_name_is_gone_included(LookupOutcome outcome)
    {
        using var subscription = Follow();
        Await(1);
        next = Lookup.Nothing(outcome, "so it is");
        time.Advance(11_000);
        Await(2);
        Assert.Single(subscription.Watch.Answer!.Addresses);
        Assert.Equal(1, names.Count(outcome));
    }

    [Fact]
    public void Silence_on_one_family_does_not_remove_its_addresses()
    {
        next = Found(10_000, "10.0.0.1", "fd00::1");
        using var subscription = Follow();
        Await(1);
        next = Lookup.Found([IPAddress.Parse("10.0.0.2")], [], 10_000, AddressFamily.InterNetworkV6);
        time.Advance(11_000);
        Await(2);
        Assert.Equal(2, subscription.Watch.Answer!.Addresses.Length);
        Assert.NotNull(subscription.Watch.Trouble);
        next = Found(10_000, "10.0.0.2");
        time.Advance(1_100);
        Await(3);
        Assert.Equal(["10.0.0.2"], subscription.Watch.Answer!.Addresses.Select(static a => a.ToString()));
    }

    [Fact]
    public void The_same_in_another_order_is_no_change()
    {
        next = Found(10_000, "10.0.0.1", "10.0.0.2");
        using var subscription = Follow();
        Await(1);
        var first = subscription.Watch.Answer;
        next = Found(10_000, "10.0.0.2", "10.0.0.1");
        time.Advance(11_000);
        Await(2);
        Assert.Same(first, subscription.Watch.Answer);
    }

    [Fact]
    public void Who_listens_is_called_after_each_lookup_one_at_a_time_until_it_ends()
    {
        var (calls, inside, beside) = (0, 0, 0);
        void Call(NameWatch watch)
        {
            if (Interlocked.Increment(ref inside) > 1) Interlocked.Increment(ref beside);
            Thread.Yield();
            Interlocked.Decrement(ref inside);
            Interlocked.Increment(ref calls);
        }

        var one = Follow(Call);
        Await(1);
        Eventually.Holds(() => calls == 1, () => $"{calls} calls");
        using var two = Follow(Call); // Told at once what is known.
        Eventually.Holds(() => calls == 2, () => $"{calls} calls");
        time.Advance(11_000);
        Await(2);
        Eventually.Holds(() => calls == 4, () => $"{calls} calls");
        one.Dispose();
        time.Advance(11_000);
        Await(3);
        Eventually.Holds(() => calls == 5, () => $"{calls} calls");
        Assert.Equal(0, beside);
    }

    [Fact]
    public void What_nobody_listens_to_is_forgotten_when_it_is_due()
    {
        Follow().Dispose();
        Await(1);
        time.Advance(11_000);
        Assert.Empty(names.All);
        Assert.Null(time.Next);
        Assert.Equal(1, lookups);
    }

    [Fact]
    public void A_name_of_which_nothing_is_known_is_looked_up_anew_where_that_is_asked()
    {
        next = Lookup.Nothing(LookupOutcome.NotFound, "there is no such name");
        var watch = names.Watch(NameKind.Addresses, "app.internal", Settings);
        Await(1);
        Assert.True(watch.First.IsCompleted);
        names.Watch(NameKind.Addresses, "app.internal", Settings);
        Await(1);
        next = Found(10_000, "10.0.0.1");
        Names.Await([names.Watch(NameKind.Addresses, "app.internal", Settings, isAnew: true)]);
        Assert.NotNull(watch.Answer);
        names.Watch(NameKind.Addresses, "app.internal", Settings, isAnew: true);
        Await(2);
    }

    [Fact]
    public void Only_so_many_are_looked_up_at_once_and_all_in_the_end()
    {
        var (running, most, done) = (0, 0, 0);
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var busy = new Names(null, time, async (_, _, _, _) =>
        {
            var now = Interlocked.Increment(ref running);
            int seen;
            while (now > (seen = Volatile.Read(ref most))) Interlocked.CompareExchange(ref most, now, seen);
            await open.Task;
            Interlocked.Decrement(ref running);
            Interlocked.Increment(ref done);
            return Found(10_000, "10.0.0.1");
        });
        var watches = Enumerable.Range(0, 3 * Names.MostLookups).Select(i => busy.Watch(NameKind.Addresses, $"n{i}.internal", Settings)).ToArray();
        Eventually.Holds(() => running == Names.MostLookups, () => $"{running} run");
        open.SetResult();
        Names.Await(watches);
        Assert.Equal(watches.Length, done);
        Assert.Equal(Names.MostLookups, most);
    }

    [Fact]
    public void What_throws_is_a_failure_and_not_the_end()
    {
        using var broken = new Names(null, time, static (_, _, _, _) => throw new InvalidOperationException("oh"));
        var watch = broken.Watch(NameKind.Addresses, "app.internal", Settings);
        Names.Await([watch]);
        Assert.Equal("a mistake of ours: oh", watch.Trouble);
    }

    [Fact]
    public void Whoever_waits_is_let_go_when_it_ends()
    {
        var silent = new Names(null, time, static (_, _, _, stop) => Task.Delay(Timeout.Infinite, stop).ContinueWith(static _ => Found(1, "10.0.0.1"), TaskScheduler.Default));
        var watch = silent.Watch(NameKind.Addresses, "app.internal", Settings);
        silent.Dispose();
        Assert.True(watch.First.IsCompleted);
        Assert.True(silent.Watch(NameKind.Addresses, "other.internal", Settings).First.IsCompleted);
    }
}
