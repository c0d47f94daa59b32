using System.Diagnostics;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Loops;

public class WaiterTests
{
    private readonly ManualPoller poller = new();
    private readonly Loop loop;
    private readonly Waiter waiter;
    private readonly List<Wake> woken = [];

    public WaiterTests()
    {
        loop = new Loop(poller);
        waiter = new Waiter(loop);
    }

    [Fact]
    public void A_set_signal_does_not_suspend()
    {
        var a = new Signal();
        a.Latch();
        WaitAsync(a, new Signal()).Detach();
        Assert.Equal([Wake.First], woken);
    }

    [Fact]
    public void The_first_to_come_wins_and_the_others_are_let_go()
    {
        var (a, b) = (new Signal(), new Signal());
        WaitAsync(a, b).Detach();
        b.Raise();
        Assert.Equal([Wake.Second], woken);
        a.Raise();
        Assert.Equal([Wake.Second], woken);
        Assert.False(waiter.IsWaiting);
        a.Clear();
        b.Clear();
        WaitAsync(b, a).Detach(); // Free to be waited for again.
        a.Raise();
        Assert.Equal([Wake.Second, Wake.Second], woken);
    }

    [Fact]
    public void A_deadline_fires_once_and_not_early()
    {
        WaitAsync(new Signal(), new Signal(), loop.Now + 100).Detach();
        poller.Now += 99;
        loop.Turn(false);
        Assert.Empty(woken);
        poller.Now += 10;
        loop.Turn(false);
        loop.Turn(false);
        Assert.Equal([Wake.Deadline], woken);
    }

    [Fact]
    public void Cancelling_is_synchronous()
    {
        var a = new Signal();
        WaitAsync(a, new Signal(), loop.Now + 10).Detach();
        waiter.Cancel();
        Assert.Equal([Wake.Cancelled], woken);
        a.Raise();
        poller.Now += 100;
        loop.Turn(false);
        Assert.Equal([Wake.Cancelled], woken);
    }

    [Fact]
    public void A_waiter_woken_later_runs_from_the_ready_queue_unless_cancelled_before()
    {
        var a = new Signal();
        WaitAsync(a, new Signal()).Detach();
        a.RaiseLater();
        Assert.Empty(woken);
        loop.Turn(false);
        Assert.Equal([Wake.First], woken);

        a.Clear();
        WaitAsync(a, new Signal()).Detach();
        a.RaiseLater();
        waiter.Cancel();
        Assert.Equal([Wake.First, Wake.Cancelled], woken);
        a.Clear();
        WaitAsync(a, new Signal()).Detach(); // The stale entry of the ready queue must not wake this one.
        loop.Turn(false);
        Assert.Equal([Wake.First, Wake.Cancelled], woken);
        a.Raise();
        Assert.Equal(3, woken.Count);
    }

    [Fact]
    public void Ten_thousand_waiters_woken_at_once_deepen_no_stack()
    {
        var signals = Enumerable.Range(0, 10_000).Select(_ => new Signal()).ToArray();
        var done = 0;
        foreach (var (i, signal) in signals.Index()) ChainAsync(signal, i + 1 < signals.Length ? signals[i + 1] : null).Detach();
        signals[0].RaiseLater();
        while (loop.Turn(false))
        {
        }

        Assert.Equal(10_000, done);

        async LoopTask ChainAsync(Signal mine, Signal? next)
        {
            await new Waiter(loop).FirstOf(mine, long.MaxValue);
            done++;
            next?.RaiseLater();
        }
    }

    [Fact]
    public void Waiting_allocates_nothing_in_steady_state()
    {
        var a = new Signal();
        LoopForeverAsync(a).Detach();
        for (var i = 0; i < 100; i++) Pulse();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) Pulse();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Pulse()
        {
            a.Raise();
            loop.Turn(false);
        }

        async LoopTask LoopForeverAsync(Signal signal)
        {
            while (true) await InnerAsync(signal);
        }

        async LoopTask<int> InnerAsync(Signal signal)
        {
            var wake = await waiter.FirstOf(signal, loop.Now + 1000);
            signal.Clear();
            return (int)wake;
        }
    }

    [Fact]
    public async Task A_failure_reaches_whoever_awaits()
    {
        var a = new Signal();
        Exception? seen = null;
        OuterAsync().Detach();
        a.Raise();
        Assert.IsType<InvalidOperationException>(seen);
        await Task.CompletedTask;

        async LoopTask OuterAsync()
        {
            try
            {
                await FailAsync();
            }
            catch (InvalidOperationException e)
            {
                seen = e;
            }
        }

        async LoopTask<int> FailAsync()
        {
            await waiter.FirstOf(a, long.MaxValue);
            throw new InvalidOperationException("expected");
        }
    }

    [Theory]
    [InlineData(1, "a1 a2 b1 b2")]
    [InlineData(2, "a1 b1 a2 b2")]
    public void What_came_in_one_turn_is_read_before_anything_is_sent(int events, string order)
    {
        var loop = new Loop(new ManualPoller { Events = events });
        var steps = new List<string>();
        ServeAsync("a").Detach();
        ServeAsync("b").Detach();
        loop.Turn(mayWait: false);
        Assert.Equal(order, string.Join(' ', steps));

        async LoopTask ServeAsync(string who)
        {
            steps.Add(who + "1");
            await new Waiter(loop).AfterOthers();
            steps.Add(who + "2");
        }
    }

    [Fact]
    public void Timers_fire_never_early_and_at_most_a_tick_late()
    {
        var random = new Random(1);
        var entries = Enumerable.Range(0, 2000).Select(_ => new Entry(loop)).ToArray();
        foreach (var entry in entries) entry.Set(loop.Now + random.Next(0, 60_000));
        for (var step = 0; step < 90_000; step += 3)
        {
            poller.Now += 3;
            if (step % 7 == 0)
            {
                var moved = entries[random.Next(entries.Length)];
                if (!moved.Fired) moved.Set(loop.Now + random.Next(0, 20_000));
            }

            loop.Turn(false);
        }

        Assert.All(entries, e => Assert.True(e.Fired));
        Assert.All(entries, e => Assert.InRange(e.Late, 0, 8));
    }

    [Fact]
    public void Work_posted_from_other_threads_runs_in_order()
    {
        using var epoll = new EpollPoller();
        var real = new Loop(epoll);
        var bugs = new List<Exception>();
        var thread = new Thread(() => real.Run(bugs.Add));
        thread.Start();
        var seen = new List<int>[4];
        var posters = Enumerable.Range(0, 4).Select(t => new Thread(() =>
        {
            seen[t] = [];
            for (var i = 0; i < 1000; i++)
            {
                var n = i;
                real.Post(() => seen[t].Add(n));
            }
        })).ToArray();
        foreach (var poster in posters) poster.Start();
        foreach (var poster in posters) poster.Join();
        real.Stop();
        thread.Join();
        Assert.Empty(bugs);
        Assert.All(seen, list => Assert.Equal(Enumerable.Range(0, 1000), list));
    }

    private async LoopTask WaitAsync(Signal a, Signal b, long deadline = long.MaxValue) => woken.Add(await waiter.FirstOf(a, b, deadline));

    private sealed class Entry(Loop loop) : TimerEntry
    {
        private long wanted;

        public bool Fired { get; private set; }

        public long Late { get; private set; }

        public void Set(long due)
        {
            wanted = due;
            loop.Arm(this, due);
        }

        protected internal override void OnDue()
        {
            Debug.Assert(!Fired, "fires once");
            Fired = true;
            Late = loop.Now - wanted;
        }
    }
}

/// <summary>A poller whose clock is set by hand.</summary>
public sealed class ManualPoller : Poller
{
    public long Now { get; set; } = 1000;

    public override Random Random { get; } = new(1);

    public override DateTime UtcNow => DateTime.UnixEpoch.AddMilliseconds(Now);

    public override long Milliseconds() => Now;

    public override long Microseconds() => Now * 1000;

    public override int Batch => Events;

    /// <summary>How many events a turn is told to have brought.</summary>
    public int Events { get; set; }

    public override int Wait(int timeout) => 0;

    public override void Dispatch()
    {
    }

    public override void Wake()
    {
    }

    public override void Dispose()
    {
    }
}
