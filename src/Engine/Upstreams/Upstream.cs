// A named set of endpoints with one balancer. Live: it outlives plans, which only swap its endpoints and settings whole.
// Endpoints stand in tiers; the first tier in which enough are available is asked, the next ones stand in for it. Which that
// is is worked out when an endpoint comes, goes or changes, not when one is chosen.

using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Observe;

namespace Weir.Engine.Upstreams;

/// <summary>A live upstream.</summary>
public sealed class Upstream : ICounted
{
    // What speaks against an endpoint and is overlooked where nobody else is left.
    private const Away WhoeverIsNotDrained = ~Away.Drained;
    private const Away Suspected = Away.Unreachable | Away.Ejected;

    private readonly Lock changing = new();
    private long hedged;
    private long hedgesWon;
    private long moved;
    private Members members;

    public Upstream(string identity, string name, Balancer balancer, int loops)
    {
        (Identity, Name) = (identity, name);
        Traffic = new Traffic(name, loops);
        Retries = new RetryBudget(loops);
        Hedges = new RetryBudget(loops, reserve: 1);
        Mirrored = new MirrorCounts(loops);
        Door = new Gate(this, loops);
        Connections = new OpenConnections(this);
        members = new Members([], [], new UpstreamSettings(), balancer, null);
    }

    /// <summary>What adopts it over reloads: its name, or for an inline list its endpoints and settings.</summary>
    public string Identity { get; }

    /// <summary>The metric label: its name, or the first endpoint and a count.</summary>
    public string Name { get; }

    public Traffic Traffic { get; }

    /// <summary>What became of requests mirrored to it.</summary>
    public MirrorCounts Mirrored { get; }

    /// <summary>What may be attempted again.</summary>
    public RetryBudget Retries { get; }

    /// <summary>Its slots and its queue, with or without limits.</summary>
    public Gate Door { get; }

    /// <summary>The same where there are limits; null: nobody asks.</summary>
    public Gate? Gate => Volatile.Read(ref members).Gate;

    /// <summary>Requests for parts of its answers.</summary>
    public PartRequests Parts { get; } = new();

    /// <summary>The connections to its endpoints.</summary>
    public OpenConnections Connections { get; }

    /// <summary>What may be asked of a second endpoint beside the first.</summary>
    public RetryBudget Hedges { get; }

    /// <summary>Times to an answer's head (µs), where a percentile of them is asked for.</summary>
    public Quantile? Latencies => Volatile.Read(ref members).Latencies;

    /// <summary>Requests sent to a second endpoint beside the first, and those that it answered first, since the start.</summary>
    public (long Sent, long Won) HedgeCounts => (Volatile.Read(ref hedged), Volatile.Read(ref hedgesWon));

    /// <summary>Requests whose cookie named another endpoint than the one that answered, since the start.</summary>
    public long Moved => Volatile.Read(ref moved);

    /// <summary>The breaker; it stays closed where the settings ask for none.</summary>
    public Breaker Breaker { get; } = new();

    /// <summary>Where it says what becomes of its endpoints; null: nowhere.</summary>
    public ErrorLog? Errors { get; set; }

    public UpstreamSettings Settings => Volatile.Read(ref members).Settings;

    /// <summary>The endpoints now, the first tier first. Swapped whole.</summary>
    public ReadOnlySpan<Endpoint> Endpoints => Volatile.Read(ref members).Endpoints;

    /// <summary>Whether latencies are to be told.</summary>
    public bool MeasuresLatency => Volatile.Read(ref members).MeasuresLatency;

    /// <summary>Whether so few are available that health is ignored.</summary>
    public bool IsPanicking => Volatile.Read(ref members).IsPanicking;

    /// <summary>Whether some endpoint is available, health not ignored.</summary>
    public bool HasAvailable => Volatile.Read(ref members).HasAvailable;

    /// <summary>Replaces the endpoints; requests on those that stay are not disturbed.</summary>
    /// <param name="endpoints">The endpoints, with the weights and tiers they have from now on.</param>
    /// <param name="settings">What is set for them.</param>
    /// <param name="balancer">How one is chosen; null: as before.</param>
    public void SetEndpoints(Endpoint[] endpoints, UpstreamSettings settings, Balancer? balancer = null)
    {
        lock (changing)
        {
            var before = members;
            balancer ??= before.Balancer;
            var known = before.Endpoints.ToHashSet();
            foreach (var endpoint in endpoints)
            {
                endpoint.Settings = settings;
                endpoint.Home ??= Connections;
                endpoint.Absence.Changed = (why, reason) => Changed(endpoint, why, reason);
                if (known.Count > 0 && !known.Contains(endpoint)) endpoint.BeginSlowStart();
            }

            var ordered = endpoints.OrderBy(static e => e.Tier).ToArray();
            var tiers = ordered.GroupBy(static e => e.Tier).Select(tier => new Tier([.. tier], balancer)).ToArray();
            if (settings.Breaker is not { OfUpstream: true }) Breaker.Close();
            var tags = settings.IsSticky ? Tags.Of(ordered) : null;
            var latencies = settings.HedgePercentile == 0 ? null : settings.HedgePercentile == before.Settings.HedgePercentile ? before.Latencies : new Quantile(settings.HedgePercentile);
            Door.Take(settings.Bounds);
            Connections.Take(settings.Bounds);
            Volatile.Write(ref members, new Members(ordered, tiers, settings, balancer, settings.Bounds is null ? null : Door) { Tags = tags, Latencies = latencies }.Judged());
        }

        Interlocked.MemoryBarrier();
        Door.Changed(null);
        Connections.Changed();
    }

    /// <summary>The endpoint that a tag names; null: there is none any more.</summary>
    public Endpoint? Find(ulong tag) => Volatile.Read(ref members).Tags?.GetValueOrDefault(tag);

    /// <summary>Chooses an endpoint that the exchange has not tried, and marks it tried; null: nobody is left.</summary>
    public Endpoint? Choose(Exchange exchange) => Choose(exchange, out _);

    /// <inheritdoc cref="Choose(Exchange)"/>
    /// <param name="exchange">For whom.</param>
    /// <param name="isFull">Where there is none: whether somebody only has no room.</param>
    public Endpoint? Choose(Exchange exchange, out bool isFull)
    {
        var now = Volatile.Read(ref members);
        if (exchange.Preferred is Endpoint preferred && now.Takes(preferred, exchange))
        {
            // Whose it is waits for it: one that is full is not away, and what it knows of its clients nobody else does.
            isFull = !preferred.HasRoom;
            if (isFull) return null;
            exchange.Tried.Add(preferred);
            return preferred;
        }

        var endpoint = now.Choose(exchange, out isFull);
        // One that has just come takes only a part of what would be its.
        while (endpoint is { IsStarting: true } && !endpoint.TakesItsPart(exchange.Loop.Now, exchange.Loop.Random))
        {
            exchange.Tried.Add(endpoint);
            var other = now.Choose(exchange, out _);
            exchange.Tried.RemoveLast();
            if (other is null or { IsStarting: true } or { IsAvailable: false }) break;
            endpoint = other;
        }

        if (endpoint is not null) exchange.Tried.Add(endpoint);
        return endpoint;
    }

    /// <summary>
    /// Whether who asks now would be told something else than to wait: there is room, or nobody to wait for. Never no where there
    /// is room for somebody.
    /// </summary>
    /// <param name="withOthers">Whether somebody asks who has tried some of them: then those that stand in count too.</param>
    internal bool MayTake(bool withOthers) => Volatile.Read(ref members).MayTake(withOthers);

    /// <summary>An attempt on an endpoint has ended well or, in words, badly.</summary>
    public void Tell(Endpoint endpoint, string? failure, long now)
    {
        var settings = Settings;
        if (settings.Passive is { } passive && endpoint.Outliers.Tell(failure is null, now, passive) && failure is not null) Eject(endpoint, endpoint.Outliers.Why(passive, failure), now);
        if (settings.Breaker is not { } breaker) return;
        if (breaker.OfEndpoints && endpoint.Breaker.Tell(failure is null, now, breaker) is { } opened)
        {
            if (opened) endpoint.Absence.Mark(Away.Broken, $"its circuit breaker is open: {breaker.ErrorPercent}% of attempts failed, the last: {failure}", now + breaker.OpenFor);
            else endpoint.Absence.Clear(Away.Broken);
        }

        if (!breaker.OfUpstream || Breaker.Tell(failure is null, now, breaker) is not { } isOpen) return;
        if (isOpen) Errors?.Deed(LogLevel.Warn, "upstream", $"{Name}: the circuit breaker opens for {breaker.OpenFor} ms: {breaker.ErrorPercent}% of attempts failed, the last: {failure}");
        else Errors?.Deed(LogLevel.Info, "upstream", $"{Name}: the circuit breaker closes");
    }

    /// <summary>Ends what ends by time, and compares latencies. Any loop, now and then.</summary>
    public void LookAgain(long now)
    {
        var known = Volatile.Read(ref members);
        foreach (var endpoint in known.Endpoints) endpoint.LookAgain(now);
        if (known.Settings.Passive is not { LatencyFactor: > 0 } passive || known.Endpoints.Length < 3) return;
        var latencies = known.Endpoints.Select(e => (Endpoint: e, Latency: e.Latency(now))).Where(static e => e.Latency > 0).OrderBy(static e => e.Latency).ToArray();
        if (latencies.Length < 3) return;
        var (slowest, latency) = latencies[^1];
        var median = latencies[(latencies.Length - 1) / 2].Latency;
        if (latency <= median * passive.LatencyFactor || !slowest.IsAvailable) return;
        Eject(slowest, $"it takes {latency / 1000:0.#} ms where others take {median / 1000:0.#}", now);
        slowest.ForgetLatency();
    }

    internal void Hedged() => Interlocked.Increment(ref hedged);

    internal void HedgeWon() => Interlocked.Increment(ref hedgesWon);

    internal void ClientMoved() => Interlocked.Increment(ref moved);

    private void Eject(Endpoint endpoint, string why, long now)
    {
        lock (changing)
        {
            if (members.Settings.Passive is not { } passive || (endpoint.Absence.Now & Away.Ejected) != 0) return;
            var ejected = members.Endpoints.Count(static e => (e.Absence.Now & Away.Ejected) != 0);
            if (members.Endpoints.Any(e => e != endpoint && e.IsAvailable))
            {
                // Who fails while all others fail too does not stand out: what is overloaded recovers sooner together.
                if ((ejected + 1) * 100 > passive.MostEjected * members.Endpoints.Length || !members.Endpoints.Any(e => e != endpoint && e.IsAvailable && !e.Outliers.FailsNow(now))) return;
            }
            else
            {
                // The last one that was asked fails: who has been out the longest may be well by now, and takes its place.
                var other = members.Endpoints.Where(e => e.Absence.Now == Away.Ejected && !e.Outliers.FailsNow(now)).MinBy(static e => e.Absence.EndOf(Away.Ejected));
                if (other is null) return;
                other.EndEjection(now);
            }

            var span = endpoint.Outliers.NextEjection(now, passive);
            endpoint.Absence.Mark(Away.Ejected, $"ejected for {span} ms: {why}", now + span);
        }
    }

    private void Changed(Endpoint endpoint, Away why, string? reason)
    {
        bool panicked, panics;
        lock (changing)
        {
            panicked = members.IsPanicking;
            Volatile.Write(ref members, members.Judged());
            panics = members.IsPanicking;
        }

        Interlocked.MemoryBarrier();
        Door.Changed(null);
        if (reason is not null) Errors?.Deed(LogLevel.Warn, "upstream", $"{Name}: {endpoint.Name} is away: {reason}");
        else if (endpoint.IsAvailable) Errors?.Deed(LogLevel.Info, "upstream", $"{Name}: {endpoint.Name} is back");
        if (panics && !panicked) Errors?.Deed(LogLevel.Warn, "upstream", $"{Name}: too few servers are available; whoever is not drained is asked");
        else if (panicked && !panics) Errors?.Deed(LogLevel.Info, "upstream", $"{Name}: enough servers are available again");
        if (reason is null && endpoint.IsAvailable) endpoint.BeginSlowStart();
    }

    /// <summary>The endpoints of one precedence.</summary>
    private sealed class Tier
    {
        public Tier(Endpoint[] endpoints, Balancer balancer)
        {
            Endpoints = endpoints;
            Balanced = [.. endpoints];
            Regardless = [.. endpoints.Select(static e => new Excused(e, WhoeverIsNotDrained))];
            Suspects = [.. endpoints.Select(static e => new Excused(e, Suspected))];
            Balancer = balancer.For(Balanced);
        }

        public Endpoint[] Endpoints { get; }

        public IBalanced[] Balanced { get; }

        /// <summary>The same, as if all but those an operator has drained were there.</summary>
        public IBalanced[] Regardless { get; }

        /// <summary>The same, as if those were there against whom only their answers speak.</summary>
        public IBalanced[] Suspects { get; }

        public Balancer Balancer { get; }

        /// <summary>Whether one that might be asked lacks nothing but room.</summary>
        public bool IsFull(Exchange exchange, Away excused)
        {
            foreach (var endpoint in Endpoints)
            {
                if (!endpoint.HasRoom && IsOpen(endpoint, excused) && !exchange.Tried.Contains(endpoint)) return true;
            }

            return false;
        }

        /// <summary>Whether there is room; null: nobody is there.</summary>
        public bool? HasRoom(Away excused)
        {
            bool? room = null;
            foreach (var endpoint in Endpoints)
            {
                if (!IsOpen(endpoint, excused)) continue;
                if (endpoint.HasRoom) return true;
                room = false;
            }

            return room;
        }

        private static bool IsOpen(Endpoint endpoint, Away excused) => endpoint.Weight > 0 && (endpoint.Absence.Now & ~excused) == Away.None;
    }

    /// <summary>All of an upstream at one moment. Immutable.</summary>
    private sealed record Members(Endpoint[] Endpoints, Tier[] Tiers, UpstreamSettings Settings, Balancer Balancer, Gate? Gate)
    {
        public bool MeasuresLatency { get; } = Balancer.NeedsLatency || Settings.MeasuresLatency;

        public Quantile? Latencies { get; init; }

        private Away Excuse => Settings.Panic == UpstreamSettings.NoPanic ? Suspected : WhoeverIsNotDrained;

        /// <summary>The first tier in which enough are available.</summary>
        public int First { get; private init; }

        public bool IsPanicking { get; private init; }

        public bool HasAvailable { get; private init; }

        /// <summary>Endpoints by what names them in cookies; null: nothing does.</summary>
        public Dictionary<ulong, Endpoint>? Tags { get; init; }

        /// <summary>Whether an exchange may go to an endpoint without the balancer's word.</summary>
        public bool Takes(Endpoint endpoint, Exchange exchange) =>
            endpoint.Weight > 0
            && (endpoint.IsAvailable || (IsPanicking && (endpoint.Absence.Now & Away.Drained) == 0))
            && (exchange.Tried.Count == 0 || !exchange.Tried.Contains(endpoint));

        public Members Judged()
        {
            for (var i = 0; i < Tiers.Length; i++)
            {
                var (all, available) = (0L, 0L);
                foreach (var endpoint in Tiers[i].Endpoints)
                {
                    if ((endpoint.Absence.Now & Away.Drained) != 0) continue;
                    all += endpoint.Weight;
                    if (endpoint.IsAvailable) available += endpoint.Weight;
                }

                if (available > 0 && available * 100 >= all * Math.Max(0, Settings.Panic)) return this with { First = i, IsPanicking = false, HasAvailable = true };
            }

            return this with { First = 0, IsPanicking = Settings.Panic != UpstreamSettings.NoPanic, HasAvailable = Array.Exists(Endpoints, static e => e.IsAvailable && e.Weight > 0) };
        }

        public Endpoint? Choose(Exchange exchange, out bool isFull)
        {
            isFull = false;
            if (!IsPanicking)
            {
                for (var i = First; i < Tiers.Length; i++)
                {
                    if (Tiers[i].Balancer.Choose(Tiers[i].Balanced, exchange) is >= 0 and var choice) return Tiers[i].Endpoints[choice];
                    if (Gate is not null && Tiers[i].IsFull(exchange, Away.None))
                    {
                        isFull = true;
                        return null;
                    }
                }
            }

            // Those that are left are away: better one of them than nobody.
            foreach (var tier in Tiers)
            {
                if (tier.Balancer.Choose(Excuse == Suspected ? tier.Suspects : tier.Regardless, exchange) is >= 0 and var choice) return tier.Endpoints[choice];
                if (Gate is not null && tier.IsFull(exchange, Excuse))
                {
                    isFull = true;
                    return null;
                }
            }

            return null;
        }

        public bool MayTake(bool withOthers)
        {
            withOthers |= Tags is not null; // Some wait for one endpoint only.
            var isFull = false;
            for (var i = First; i < Tiers.Length && !IsPanicking; i++)
            {
                if (Tiers[i].HasRoom(Away.None) is not { } room) continue;
                if (room || !withOthers) return room;
                isFull = true;
            }

            foreach (var tier in Tiers)
            {
                if (tier.HasRoom(Excuse) is not { } room) continue;
                if (room || !withOthers) return room;
                isFull = true;
            }

            return !isFull;
        }
    }

    /// <summary>An endpoint to whom some reasons for being away are no reasons.</summary>
    private sealed class Excused(Endpoint endpoint, Away from) : IBalanced
    {
        public string Identity => endpoint.Identity;

        public object Self => endpoint;

        public int Weight => endpoint.Weight;

        public int Active => ((IBalanced)endpoint).Active;

        public bool IsAvailable => (endpoint.Absence.Now & ~from) == Away.None && endpoint.HasRoom;

        public double Latency(long now) => endpoint.Latency(now);
    }
}
