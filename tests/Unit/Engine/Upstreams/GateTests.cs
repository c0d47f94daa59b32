using System.Diagnostics;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Upstreams;
using Weir.Tests.Unit.Loops;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Engine.Upstreams;

public sealed class GateTests
{
    private readonly ManualPoller poller = new();
    private readonly Loop loop;
    private readonly Endpoint first = new("a", "a", 4) { Weight = 1 };
    private readonly Endpoint second = new("b", "b", 4) { Weight = 1 };
    private readonly Upstream upstream = new("u", "u", new RoundRobin(), 4);

    public GateTests() => loop = new Loop(poller);

    [Fact]
    public void Up_to_the_limit_nobody_waits_and_who_leaves_makes_room()
    {
        Limit(new Bounds { Requests = 2 });
        var (a, b, c) = (Ask(), Ask(), Ask());
        Assert.NotNull(a.Got);
        Assert.NotNull(b.Got);
        Assert.Null(c.Came);
        Assert.Equal((2, 1, 1L), (upstream.Door.Taken, upstream.Door.QueueLength, upstream.Door.Queued));
        a.End();
        Turn();
        Assert.NotNull(c.Got);
        Assert.Equal((2, 0), (upstream.Door.Taken, upstream.Door.QueueLength));
        b.End();
        c.End();
        Assert.Equal(0, upstream.Door.Taken);
    }

    [Fact]
    public void The_first_of_the_highest_priority_is_next()
    {
        Limit(new Bounds { Requests = 1 });
        var holder = Ask();
        Asking[] waiting = [Ask(Priority.Low), Ask(Priority.Normal), Ask(Priority.High), Ask(Priority.Normal), Ask(Priority.High)];
        foreach (var next in new[] { waiting[2], waiting[4], waiting[1], waiting[3], waiting[0] })
        {
            Assert.Null(next.Came);
            holder.End();
            Turn();
            Assert.NotNull(next.Got);
            Assert.Equal(1, upstream.Door.Taken);
            holder = next;
        }
    }

    [Fact]
    public void Who_comes_while_it_is_anothers_turn_waits_behind()
    {
        Limit(new Bounds { Requests = 1 });
        var (holder, waiting) = (Ask(), Ask());
        holder.End(); // Called, but its loop has not seen it.
        var late = Ask(Priority.High);
        Assert.Null(late.Came);
        Turn();
        Assert.NotNull(waiting.Got);
        Assert.Null(late.Came);
    }

    [Fact]
    public void Beyond_the_queue_one_is_refused_at_once()
    {
        Limit(new Bounds { Requests = 1, Queue = 1 });
        Ask();
        Assert.Null(Ask().Came);
        Assert.Equal(FaultCause.QueueFull, Ask().Cause);
        Assert.Equal((1L, 0L), upstream.Door.Refused);
        Limit(new Bounds { Requests = 1, Queue = 0 });
        Assert.Equal(FaultCause.QueueFull, Ask().Cause);
    }

    [Fact]
    public void Who_has_waited_too_long_is_refused_and_the_others_keep_their_places()
    {
        Limit(new Bounds { Requests = 1, QueueTimeout = 1_000 });
        var (holder, a) = (Ask(), Ask());
        Pass(600);
        var b = Ask();
        Pass(396);
        Assert.Null(a.Came);
        Pass(8);
        Assert.Equal(FaultCause.QueueTimeout, a.Cause);
        Assert.Equal((0L, 1L), upstream.Door.Refused);
        Assert.InRange(a.Exchange.Moments.Queued, 1_000_000, 1_010_000);
        holder.End();
        Turn();
        Assert.NotNull(b.Got);
        var buckets = new long[Weir.Engine.Observe.Histogram.Bounds.Length + 1];
        upstream.Door.AddWaitsTo(buckets);
        Assert.Equal(2, buckets.Sum());
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("stopped")]
    [InlineData("late")]
    public void Who_leaves_while_it_is_its_turn_passes_it_on(string why)
    {
        Limit(new Bounds { Requests = 1, QueueTimeout = 1_000 });
        var (holder, a) = (Ask(), Ask());
        Pass(500);
        var b = Ask();
        holder.End();
        if (why == "gone") a.Client.Gone.Raise();
        else if (why == "stopped") a.Exchange.Interrupt(new Fault(FaultCause.Stopping, Side.Proxy, Stage.Relay));
        else poller.Now += 504; // The timer fires before what was posted is looked at.
        Turn();
        Assert.Equal(why == "late" ? FaultCause.QueueTimeout : FaultCause.Closed, a.Cause);
        Assert.NotNull(b.Got);
        Assert.Equal((1, 0), (upstream.Door.Taken, upstream.Door.QueueLength));
    }

    [Fact]
    public void A_client_that_leaves_leaves_the_queue_at_once()
    {
        Limit(new Bounds { Requests = 1, Queue = 1 });
        Ask();
        var a = Ask();
        a.Client.Gone.Raise();
        Assert.Equal((FaultCause.Closed, 0), (a.Cause, upstream.Door.QueueLength));
        Assert.Null(Ask().Came);
    }

    [Fact]
    public void One_that_is_full_is_not_chosen_and_none_stands_in_for_it()
    {
        second.Tier = 1;
        Limit(new Bounds { EndpointRequests = 1 });
        var (a, b) = (Ask(), Ask());
        Assert.Same(first, a.Got);
        Assert.Null(b.Came);
        Assert.True(first.IsAvailable);
        Assert.False(upstream.IsPanicking);
        first.Absence.Mark(Away.Unhealthy, "checks failed"); // Now one does stand in.
        Turn();
        Assert.Same(second, b.Got);
    }

    [Fact]
    public void Of_several_the_one_with_room_is_chosen()
    {
        Limit(new Bounds { EndpointRequests = 2 });
        var asked = Enumerable.Range(0, 5).Select(_ => Ask()).ToArray();
        Assert.Equal(2, asked.Count(a => a.Got == first));
        Assert.Equal(2, asked.Count(a => a.Got == second));
        Assert.Null(asked[4].Came);
        asked.First(a => a.Got == second).End();
        Turn();
        Assert.Same(second, asked[4].Got);
    }

    [Fact]
    public void Where_those_that_were_full_go_away_nobody_waits_for_them()
    {
        Limit(new Bounds { EndpointRequests = 1 }, UpstreamSettings.NoPanic);
        Ask();
        Ask();
        var waiting = new[] { Ask(), Ask() };
        first.Absence.Mark(Away.Drained, "by hand");
        second.Absence.Mark(Away.Unhealthy, "checks failed");
        Turn();
        Assert.All(waiting, w => Assert.Equal(FaultCause.NoEndpoint, w.Cause));
    }

    [Fact]
    public void A_further_attempt_keeps_the_upstreams_slot_and_comes_before_those_that_have_none()
    {
        Limit(new Bounds { EndpointRequests = 1, Requests = 3 });
        var (a, b) = (Ask(), Ask());
        var (onFirst, onSecond) = a.Got == first ? (a, b) : (b, a);
        var waiting = Ask(Priority.High);
        Gate.LeaveEndpoint(onFirst.Exchange); // Its attempt failed; the slot is offered to whoever waits.
        Turn();
        Assert.Same(first, waiting.Got);
        Assert.Null(onFirst.Enter().Came); // It may only go to the other now.
        var later = Ask(Priority.High);
        Assert.Equal(3, upstream.Door.Taken);
        onSecond.End();
        Turn();
        Assert.Same(second, onFirst.Got);
        Assert.Null(later.Came);
    }

    [Fact]
    public void Who_waits_for_one_it_has_not_tried_does_not_hold_up_the_others()
    {
        Limit(new Bounds { EndpointRequests = 1 });
        var (a, b) = (Ask(), Ask());
        var (onFirst, _) = a.Got == first ? (a, b) : (b, a);
        Gate.LeaveEndpoint(onFirst.Exchange);
        Assert.Null(onFirst.Enter().Came);
        Assert.Same(first, Turned(Ask()).Got);
    }

    [Fact]
    public void Whose_endpoint_is_full_waits_for_it_and_holds_up_nobody()
    {
        Limit(new Bounds { EndpointRequests = 1 }, sticky: true);
        var holder = Prefer(first);
        Assert.Same(first, holder.Got);
        var waiting = Prefer(first);
        Assert.Null(waiting.Came);
        Assert.Same(second, Turned(Ask()).Got);
        holder.End();
        Turn();
        Assert.Same(first, waiting.Got);
    }

    [Fact]
    public void Who_all_wait_for_one_endpoint_do_not_keep_others_from_what_is_free()
    {
        Limit(new Bounds { EndpointRequests = 2, Queue = 3 }, sticky: true);
        foreach (var _ in (int[])[1, 2]) Assert.Same(first, Prefer(first).Got);
        var waiting = Enumerable.Range(0, 3).Select(_ => Prefer(first)).ToArray();
        Turn();
        Assert.All(waiting, w => Assert.Null(w.Came));
        Assert.Same(second, Ask().Got);
        Assert.Equal(FaultCause.QueueFull, Prefer(first).Cause);
        Assert.Equal((3, 3), (upstream.Door.Taken, upstream.Door.QueueLength));
    }

    [Fact]
    public void Beyond_a_full_queue_nobody_takes_what_one_in_it_was_called_for()
    {
        Limit(new Bounds { Requests = 1, Queue = 1 }, sticky: true);
        var (holder, waiting) = (Ask(), Ask());
        holder.End(); // Called, but its loop has not seen it.
        Assert.Equal(FaultCause.QueueFull, Ask(Priority.High).Cause);
        Turn();
        Assert.NotNull(waiting.Got);
    }

    [Fact]
    public void The_endpoint_that_is_asked_again_is_still_its()
    {
        Limit(new Bounds { EndpointRequests = 1 });
        var a = Ask();
        var had = a.Got;
        Assert.Same(had, a.Enter(chosen: had).Got);
        a.End();
        Assert.Equal((true, 0), (had!.HasRoom, upstream.Door.Taken));
    }

    [Fact]
    public void Who_is_asked_beside_another_is_a_further_request_and_does_not_wait()
    {
        Limit(new Bounds { EndpointRequests = 1, Requests = 2 });
        var a = Ask();
        var other = a.Got == first ? second : first;
        Assert.True(upstream.Door.TryEnterBeside(a.Exchange, other));
        Assert.Equal((2, false), (upstream.Door.Taken, other.HasRoom));
        var waiting = Ask();
        Assert.Null(waiting.Came);
        Gate.LeaveBeside(a.Exchange, secondStays: true);
        Turn();
        Assert.Same(a.Got, waiting.Got);
        Assert.False(upstream.Door.TryEnterBeside(a.Exchange, a.Got!)); // No room.
        Ask();
        waiting.End();
        Assert.False(upstream.Door.TryEnterBeside(a.Exchange, a.Got!)); // Somebody waits, whose turn it is.
        Turn();
        a.End();
        Assert.True(other.HasRoom);
        Assert.Equal(1, upstream.Door.Taken);
    }

    [Fact]
    public void An_exchange_that_ends_in_the_midst_gives_back_all_it_holds()
    {
        Limit(new Bounds { EndpointRequests = 1, Requests = 2 });
        var a = Ask();
        Assert.True(upstream.Door.TryEnterBeside(a.Exchange, a.Got == first ? second : first));
        a.End();
        Assert.Equal((0, true, true), (upstream.Door.Taken, first.HasRoom, second.HasRoom));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(0)]
    public void Limits_that_are_raised_or_taken_away_let_those_in_who_wait(int limit)
    {
        Limit(new Bounds { Requests = 1 });
        var asked = Enumerable.Range(0, 5).Select(_ => Ask()).ToArray();
        Limit(limit == 0 ? null : new Bounds { Requests = limit });
        for (var i = 0; i < 10; i++) Turn();
        Assert.Equal(limit == 0 ? 5 : limit, asked.Count(a => a.Got is not null));
        foreach (var one in asked.Where(a => a.Got is not null).ToArray()) one.End();
        for (var i = 0; i < 10; i++) Turn();
        foreach (var one in asked.Where(a => a.Got is not null)) one.End();
        Assert.Equal((0, 0), (upstream.Door.Taken, upstream.Door.QueueLength));
    }

    [Fact]
    public void Limits_that_are_lowered_hold_for_those_who_come()
    {
        Limit(new Bounds { Requests = 3 });
        var held = Enumerable.Range(0, 3).Select(_ => Ask()).ToArray();
        Limit(new Bounds { Requests = 1 });
        var waiting = Ask();
        held[0].End();
        held[1].End();
        Turn();
        Assert.Null(waiting.Came);
        held[2].End();
        Turn();
        Assert.NotNull(waiting.Got);
    }

    [Fact]
    public void A_breaker_that_opens_meanwhile_is_told_to_those_who_wait()
    {
        Limit(new Bounds { Requests = 1 }, breaker: new BreakerSettings(50, 10_000, 1, 5_000, OfUpstream: true, OfEndpoints: false));
        var (holder, waiting) = (Ask(), Ask());
        upstream.Tell(holder.Got!, "it broke", loop.Now);
        holder.End();
        Turn();
        Assert.Equal(FaultCause.BreakerOpen, waiting.Cause);
    }

    [Fact]
    public void Waiting_allocates_nothing()
    {
        Limit(new Bounds { Requests = 1 });
        var (a, b) = (new Asking(upstream, loop), new Asking(upstream, loop));
        void Round()
        {
            a.Enter();
            b.Enter();
            a.End();
            Turn();
            b.End();
        }

        Assert.Equal(0, Allocations.Of(1_000, Round));
    }

    // Real loops on real threads: the limits hold at every moment, and whoever waits is called or told in time.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void On_many_threads_nobody_is_forgotten_and_no_limit_is_passed(bool impatient)
    {
        const int Flows = 12;
        const int Rounds = 400;
        Limit(new Bounds { Requests = 5, EndpointRequests = 3, Queue = 30, QueueTimeout = impatient ? 1 : 60_000 });
        var counts = new Counts(5, 3);
        var loops = Enumerable.Range(0, 4).Select(i => new Loop(new EpollPoller(), i)).ToArray();
        var left = loops.Length * Flows;
        foreach (var one in loops)
        {
            for (var i = 0; i < Flows; i++)
            {
                one.Post(() => FlowAsync(one).Detach());
            }
        }

        var threads = loops.Select(l => new Thread(() => l.Run(bug => counts.Broken.Enqueue(bug.ToString())))).ToArray();
        foreach (var thread in threads) thread.Start();
        var since = Stopwatch.StartNew();
        while (Volatile.Read(ref left) > 0 && since.Elapsed < TimeSpan.FromSeconds(50))
        {
            if (impatient && since.ElapsedMilliseconds % 40 == 0) Limit(new Bounds { Requests = 5, EndpointRequests = 3, Queue = 30, QueueTimeout = 1 });
            Thread.Sleep(1);
        }

        foreach (var one in loops) one.Stop();
        foreach (var thread in threads) thread.Join();
        Assert.Empty(counts.Broken);
        Assert.Equal((0, 0, 0), (Volatile.Read(ref left), upstream.Door.Taken, upstream.Door.QueueLength));
        Assert.True(first.HasRoom && second.HasRoom);
        if (!impatient) Assert.Equal(0, upstream.Door.Refused.Late);

        async LoopTask FlowAsync(Loop on)
        {
            var asking = new Asking(upstream, on);
            var waiter = new Waiter(on);
            for (var i = 0; i < Rounds; i++)
            {
                var entry = await upstream.Door.EnterAsync(asking.Exchange, null, (Priority)on.Random.Next(3));
                if (entry.Endpoint is { } endpoint)
                {
                    counts.Enter(endpoint == first ? 0 : 1);
                    if (on.Random.Next(4) == 0) await waiter.Until(on.Now + 1);
                    else await waiter.Yield();
                    counts.Leave(endpoint == first ? 0 : 1);
                }
                else
                {
                    await waiter.Yield();
                }

                asking.End();
            }

            Interlocked.Decrement(ref left);
        }
    }

    private Asking Ask(Priority priority = Priority.Normal) => new Asking(upstream, loop).Enter(priority);

    private Asking Prefer(Endpoint endpoint)
    {
        var asking = new Asking(upstream, loop);
        asking.Exchange.Preferred = endpoint;
        return asking.Enter();
    }

    private Asking Turned(Asking asking)
    {
        Turn();
        return asking;
    }

    private void Turn()
    {
        for (var i = 0; i < 4; i++) loop.Turn(mayWait: false);
    }

    private void Pass(long milliseconds)
    {
        poller.Now += milliseconds;
        Turn();
    }

    private void Limit(Bounds? bounds, int panic = 0, BreakerSettings? breaker = null, bool sticky = false) =>
        upstream.SetEndpoints([first, second], new UpstreamSettings { Bounds = bounds, Panic = panic, Breaker = breaker, IsSticky = sticky });

    private sealed class Counts(int most, int mostOfEndpoint)
    {
        private readonly int[] of = new int[2];
        private int all;

        public System.Collections.Concurrent.ConcurrentQueue<string> Broken { get; } = [];

        public void Enter(int endpoint)
        {
            if (Interlocked.Increment(ref all) > most) Broken.Enqueue("more requests than the upstream may carry");
            if (Interlocked.Increment(ref of[endpoint]) > mostOfEndpoint) Broken.Enqueue("more requests than an endpoint may carry");
        }

        public void Leave(int endpoint)
        {
            Interlocked.Decrement(ref of[endpoint]);
            Interlocked.Decrement(ref all);
        }
    }
}
