// Who belongs to an upstream at this moment: what is written, what sources found, what the admin API added, and what it said
// of any of them, merged into one list. The first to name an endpoint says its weight and tier, in that order; what the admin
// API says holds over all. One lock, never on the way of a request: the engine sees a new array, and only where something is new.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Balancing;
using Weir.Engine.Observe;
using Weir.Engine.Tls;
using Weir.Engine.Upstreams;

namespace Weir.Control.Discovery;

/// <summary>An endpoint in force. Immutable but for the endpoint itself.</summary>
/// <param name="Endpoint">The live endpoint.</param>
/// <param name="Member">What was declared of it, by the first who did.</param>
/// <param name="From">Who did: "written", the name of a source, or "admin".</param>
/// <param name="SaidWeight">The weight the admin API gave it, if it did.</param>
/// <param name="IsDrained">Whether the admin API drained it.</param>
public sealed record Seat(Endpoint Endpoint, Member Member, string From, int? SaidWeight, bool IsDrained)
{
    /// <summary>The weight in force.</summary>
    public int Weight => SaidWeight ?? Member.Weight;
}

/// <summary>What became of what the admin API wanted.</summary>
public enum MemberOutcome
{
    Done,

    /// <summary>There is no such endpoint.</summary>
    Unknown,

    /// <summary>There is such an endpoint already.</summary>
    Exists,

    /// <summary>It was not added over the admin API.</summary>
    NotAdded,

    /// <summary>There are <see cref="Membership.Most"/> already.</summary>
    Full,
}

/// <summary>The endpoints of one live upstream. Outlives plans. Any thread.</summary>
/// <param name="upstream">The upstream; nobody else sets its endpoints.</param>
/// <param name="loops">How many loops there are.</param>
/// <param name="errors">Told of failures and of changes on purpose.</param>
/// <param name="forget">Makes the loops close what they keep for endpoints that have left, when it is idle.</param>
/// <param name="names">Where the names of endpoints are followed; null: its own, that are looked up once.</param>
public sealed class Membership(Upstream upstream, int loops, ErrorLog? errors = null, Action<Endpoint[]>? forget = null, Names? names = null)
{
    /// <summary>Endpoints of one upstream.</summary>
    public const int Most = 10_000;

    /// <summary>Who declared what the configuration itself holds, and what the admin API added.</summary>
    public const string Written = "written", Admin = "admin";

    private readonly Lock turn = new();
    private readonly List<Source> sources = [];
    private readonly List<Member> added = [];
    private readonly Names names = names ?? new Names();
    private readonly AddressFollower follower = new();
    private ResolveSettings resolve = ResolveSettings.Default; // How the names of its endpoints are looked up.
    private readonly Dictionary<string, Said> said = []; // By identity: of endpoints in force only.
    private Member[] written = [];
    private OriginTls tls = new(new OriginTlsSettings());
    private UpstreamSettings? settings;
    private volatile Seat[] seats = [];
    private volatile Source[] sourcesNow = [];
    private string? words;
    private bool isClosed;
    private bool overflows;

    public Upstream Upstream { get; } = upstream;

    /// <summary>Those in force now.</summary>
    public IReadOnlyList<Seat> Seats => seats;

    /// <summary>The sources now.</summary>
    public IReadOnlyList<Source> Sources => sourcesNow;

    /// <summary>What endpoints are as they are written; names that cannot be resolved are told, and where they could be before, keep what they had.</summary>
    /// <param name="endpoints">What is written.</param>
    /// <param name="diagnostics">Told what is wrong.</param>
    /// <param name="by">How names are looked up; null: as was said last.</param>
    public Member[] Declared(List<EndpointConfig> endpoints, Diagnostics diagnostics, ResolveSettings? by = null)
    {
        var now = seats;
        by ??= resolve;
        var members = new Member[endpoints.Count];
        for (var i = 0; i < members.Length; i++)
        {
            var written = endpoints[i];
            members[i] = new Member(written.Url, EndpointUrl.Resolve(written.Url, names, by, out var trouble)) { Weight = (int)written.Weight, Tier = (int)written.Backup };
            if (trouble.Length == 0) continue;
            if (members[i].Addresses.Length > 0 || Array.Exists(now, s => s.Member.Identity == members[i].Identity && s.Endpoint.Addresses.Length > 0)) diagnostics.Warn(written.At, $"{trouble}; the addresses known so far are kept");
            else diagnostics.Error(written.At, trouble);
        }

        return members;
    }

    /// <summary>
    /// What a configuration says. A weight that is written anew holds over what the admin API said; the same one does not.
    /// Sources that are not named any more leave with their endpoints; further ones wait for <see cref="Begin"/>.
    /// </summary>
    /// <param name="members">What is written.</param>
    /// <param name="plans">The sources that are named.</param>
    /// <param name="with">What is set for all endpoints.</param>
    /// <param name="balance">How one is chosen, and words for it: the balancer is another one where they are others; null: as before.</param>
    /// <param name="by">How names of endpoints are looked up; null: as before.</param>
    /// <param name="over">How those that speak TLS are spoken to; null: as before.</param>
    public void Write(IReadOnlyList<Member> members, IReadOnlyList<SourcePlan> plans, UpstreamSettings with, (string Words, Balancer Balancer)? balance = null, ResolveSettings? by = null, OriginTls? over = null)
    {
        List<IDisposable> ended = [];
        lock (turn)
        {
            if (isClosed) return;
            resolve = by ?? resolve;
            tls = over ?? tls;
            TakeWritten([.. members]);
            foreach (var source in sources.Where(s => !plans.Any(p => p.Name == s.Name)).ToArray())
            {
                sources.Remove(source);
                if (source.Feed is { } feed) ended.Add(feed);
            }

            foreach (var (place, plan) in plans.DistinctBy(p => p.Name).Index()) TakePlan(plan, place, ended);
            sourcesNow = [.. sources];
            Merge(with, balance?.Words == words ? null : balance?.Balancer);
            words = balance?.Words ?? words;
        }

        foreach (var feed in ended) feed.Dispose();
    }

    /// <summary>Begins the sources that have not begun.</summary>
    public void Begin()
    {
        foreach (var source in sourcesNow)
        {
            if (source.Feed is not null) continue;
            var feed = source.Plan.Begin(source);
            lock (turn)
            {
                if (sources.Contains(source) && !isClosed)
                {
                    source.Feed = feed;
                    continue;
                }
            }

            feed.Dispose();
        }
    }

    /// <summary>The upstream has left the plan: its sources end, idle connections to its endpoints close.</summary>
    public void Close()
    {
        IDisposable?[] feeds;
        lock (turn)
        {
            if (isClosed) return;
            isClosed = true;
            feeds = [.. sources.Select(s => s.Feed)];
            sources.Clear();
            follower.End();
        }

        foreach (var feed in feeds) feed?.Dispose();
        Leave([.. seats.Select(s => s.Endpoint)]);
    }

    /// <summary>Adds an endpoint until it is removed or the upstream leaves the plan.</summary>
    public MemberOutcome Add(Member member)
    {
        lock (turn)
        {
            if (isClosed) return MemberOutcome.Unknown;
            if (Array.Exists(seats, s => IsSame(s.Member, member))) return MemberOutcome.Exists;
            if (seats.Length >= Most) return MemberOutcome.Full;
            added.Add(member);
            Merge();
            Tell($"{member.Name} is added, weight {member.Weight}");
            return MemberOutcome.Done;
        }
    }

    /// <summary>Removes what was added by this name. Where it is declared elsewhere too, it stays as it is there.</summary>
    public MemberOutcome Remove(string name)
    {
        lock (turn)
        {
            if (added.RemoveAll(m => m.Name == name) == 0) return Array.Exists(seats, s => s.Member.Name == name) ? MemberOutcome.NotAdded : MemberOutcome.Unknown;
            Merge();
            Tell($"{name} is removed");
            return MemberOutcome.Done;
        }
    }

    /// <summary>Says what holds over what was declared, of all endpoints of this name: those that differ in their path only.</summary>
    /// <param name="name">Authority, or the path of a socket.</param>
    /// <param name="weight">What the weight becomes from the one that was said; null in, or out, is the one that was declared.</param>
    /// <param name="drained">Whether it takes no further requests; null: as it was.</param>
    public MemberOutcome Say(string name, Func<int?, int?> weight, bool? drained)
    {
        lock (turn)
        {
            var of = Array.FindAll(seats, s => s.Member.Name == name);
            if (of.Length == 0 || isClosed) return MemberOutcome.Unknown;
            foreach (var seat in of.DistinctBy(s => s.Member.Identity))
            {
                var before = said.GetValueOrDefault(seat.Member.Identity);
                said[seat.Member.Identity] = new Said(weight(before.Weight), drained ?? before.IsDrained);
            }

            Merge();
            foreach (var (before, now) in of.Zip(seats.Where(s => s.Member.Name == name)))
            {
                if (before.Weight != now.Weight) Tell($"{name} has the weight {now.Weight}");
            }

            return MemberOutcome.Done;
        }
    }

    internal bool Take(Source source, IReadOnlyList<Member> list)
    {
        lock (turn)
        {
            if (isClosed || !sources.Contains(source)) return false;
            var before = source.Members;
            // Names are answered in another order each time, which is no change.
            source.Members = [.. list.OrderBy(m => m.Identity, StringComparer.Ordinal).ThenBy(m => m.Prefix, StringComparer.Ordinal)];
            if (Union().Count <= Most)
            {
                Merge();
                source.Recovered();
                return true;
            }

            source.Members = before;
        }

        source.Failed($"more than {Most} endpoints in one upstream");
        return false;
    }

    internal void TellFailure(Source source, string reason) => errors?.Error("discovery", $"{Upstream.Name}: {source.Name}: {reason}; {(source.LastSuccess == 0 ? "it has brought no list yet" : "its last good list stays")}");

    internal void TellRecovery(Source source, bool isFirst) => errors?.Info("discovery", $"{Upstream.Name}: {source.Name}: {(isFirst ? "good now" : "good again")}");

    private static bool IsSame(Member a, Member b) => a.Identity == b.Identity && a.Prefix == b.Prefix;

    private void Tell(string text) => errors?.Deed(LogLevel.Info, "upstream", $"{Upstream.Name}: {text}");

    private void TakeWritten(Member[] next)
    {
        var before = written.ToLookup(m => m.Identity, m => m.Weight);
        foreach (var same in next.GroupBy(m => m.Identity, m => m.Weight))
        {
            if (!same.SequenceEqual(before[same.Key]) && said.TryGetValue(same.Key, out var was)) said[same.Key] = was with { Weight = null };
        }

        written = next;
    }

    private void TakePlan(SourcePlan plan, int place, List<IDisposable> ended)
    {
        var source = sources.Find(s => s.Name == plan.Name) ?? new Source(this, plan);
        if (source.Plan.Settings != plan.Settings && source.Feed is { } feed)
        {
            ended.Add(feed);
            source.Feed = null;
        }

        source.Plan = plan;
        sources.Remove(source);
        sources.Insert(place, source);
        if (plan.Initial is null) return;
        source.Members = [.. plan.Initial.OrderBy(m => m.Identity, StringComparer.Ordinal).ThenBy(m => m.Prefix, StringComparer.Ordinal)];
        source.Recovered();
    }

    // Each endpoint once, by the first who named it.
    private List<(Member Member, string From)> Union()
    {
        var seen = new HashSet<(string, string)>();
        var all = written.Select(m => (m, Written)).Concat(sources.SelectMany(s => s.Members.Select(m => (m, s.Name)))).Concat(added.Select(m => (m, Admin)));
        return [.. all.Where(m => seen.Add((m.m.Identity, m.m.Prefix)))];
    }

    // Under the lock. All that changes is seen by the engine in one step: the array.
    private void Merge(UpstreamSettings? with = null, Balancer? balancer = null)
    {
        var union = Union();
        if (union.Count > Most != overflows)
        {
            overflows = !overflows;
            if (overflows) errors?.Error("discovery", $"{Upstream.Name}: more than {Most} endpoints: {union.Count - Most} are left out");
        }

        if (union.Count > Most) union.RemoveRange(Most, union.Count - Most);
        var before = seats;
        var endpoints = Adopt(union);
        foreach (var gone in said.Keys.Except(union.Select(u => u.Member.Identity)).ToArray()) said.Remove(gone);
        var known = before.ToDictionary(s => s.Endpoint);
        var isNew = balancer is not null || (with is not null && with != settings) || !endpoints.SequenceEqual(before.Select(s => s.Endpoint));
        var next = new Seat[endpoints.Length];
        for (var i = 0; i < next.Length; i++)
        {
            var (member, from) = union[i];
            var word = said.GetValueOrDefault(member.Identity);
            next[i] = new Seat(endpoints[i], member, from, word.Weight, word.IsDrained);
            isNew |= Settle(next[i], known.GetValueOrDefault(endpoints[i]));
        }

        settings = with ?? settings;
        seats = next;
        follower.Take(next.Select(s => (s.Endpoint, s.Member.Url)), names, resolve);
        if (!isNew || settings is null) return;
        Upstream.SetEndpoints(endpoints, settings, balancer);
        Leave([.. before.Select(s => s.Endpoint).Except(endpoints)]);
    }

    // What still runs on them is no news of this upstream any more.
    private void Leave(Endpoint[] left)
    {
        foreach (var endpoint in left) endpoint.Absence.Changed = null;
        if (left.Length > 0) forget?.Invoke(left);
    }

    // The live endpoints for these: first those that are what they were, then those whose path alone is another.
    private Endpoint[] Adopt(List<(Member Member, string From)> union)
    {
        var endpoints = new Endpoint[union.Count];
        var free = seats.ToDictionary(s => (Identity(s), s.Member.Prefix), s => s.Endpoint);
        for (var i = 0; i < endpoints.Length; i++)
        {
            if (free.Remove((Identity(union[i].Member), union[i].Member.Prefix), out var same)) endpoints[i] = same;
        }

        var others = seats.Where(s => free.ContainsKey((Identity(s), s.Member.Prefix))).GroupBy(Identity, s => s.Endpoint).ToDictionary(g => g.Key, g => new Queue<Endpoint>(g));
        for (var i = 0; i < endpoints.Length; i++)
        {
            var member = union[i].Member;
            endpoints[i] ??= others.TryGetValue(Identity(member), out var queue) && queue.TryDequeue(out var other) ? other : Make(member);
        }

        return endpoints;
    }

    private static (string, string) Identity(Seat seat) => (seat.Member.Identity, seat.Endpoint.Tls?.Identity ?? "");

    private (string, string) Identity(Member member) => (member.Identity, member.CertifiedName is { } name ? OpenSslClient.IdentityOf(tls.Settings, name) : "");

    private Endpoint Make(Member member)
    {
        if (member.CertifiedName is not null) tls.MakeReady(); // Not on a loop.
        return new(member.Identity, member.Name, loops, member.Authority)
        {
            Tls = member.CertifiedName is { } name ? new OpenSslClient(tls, name, loops) : null,
            WantsOwnHost = member is { CertifiedName: not null, IsNamed: true },
            // Of one that is spoken to in another way only, those known stay.
            Addresses = Array.Find(seats, s => s.Member.Identity == member.Identity)?.Endpoint.Addresses ?? [],
        };
    }

    // Makes an endpoint what its seat says; whether a balancer must hear of it.
    private static bool Settle(Seat now, Seat? before)
    {
        var (endpoint, member) = (now.Endpoint, now.Member);
        // Addresses may have been found anew since: only what was declared anew is put in their place.
        if (member.Addresses.Length > 0 && (before is null || !before.Member.Addresses.AsSpan().SequenceEqual(member.Addresses))) endpoint.Addresses = member.Addresses;
        if (before?.Member.Prefix != member.Prefix) endpoint.PathPrefix = Encoding.ASCII.GetBytes(member.Prefix);
        if (now.IsDrained) endpoint.Absence.Mark(Away.Drained, "drained by an operator");
        else endpoint.Absence.Clear(Away.Drained);
        var isNew = (endpoint.Weight, endpoint.Tier) != (now.Weight, member.Tier);
        (endpoint.Weight, endpoint.Tier) = (now.Weight, member.Tier);
        return isNew;
    }

    private readonly record struct Said(int? Weight, bool IsDrained);
}
