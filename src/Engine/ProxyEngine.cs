// The data plane as a whole: loops with their workers, and the plan they execute. It never sees configuration text, and it
// touches nothing that belongs to the process.
//
//   new ProxyEngine(ground, errors) → TryExecute(plan) → Start → TryExecute(next plan) … → Drain → Stop

using System.Diagnostics;
using Weir.Engine.Acceleration;
using Weir.Engine.Listeners;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;

namespace Weir.Engine;

/// <summary>The engine. One thread at a time calls it; the loops do the work.</summary>
public sealed class ProxyEngine
{
    private readonly Ground ground;
    private readonly ErrorLog errors;
    private readonly MemoryBudget budget = new(1L << 30);
    private readonly Dictionary<string, ListenSocket[]> sockets = [];
    private readonly List<EndingListener> ending = [];
    private readonly Worker[] workers;
    private volatile Plan? plan;
    private volatile (ListenerPlan, NetworkAddress)[] addresses = [];

    public ProxyEngine(Ground ground, ErrorLog errors)
    {
        this.ground = ground;
        this.errors = errors;
        Unsited = new Traffic("", ground.Loops.Count);
        workers = [.. ground.Loops.Select(loop => new Worker(loop, ground.NetworkOf(loop), budget, Occupancy, Handshakes, Transfers, errors, Unsited))];
    }

    /// <summary>The plan in force; null before the first. Any thread.</summary>
    public Plan? Plan => plan;

    public IReadOnlyList<Worker> Workers => workers;

    public Occupancy Occupancy { get; } = new();

    /// <summary>TLS handshakes with clients. Any thread.</summary>
    public HandshakeCounts Handshakes { get; } = new();

    /// <summary>Accelerated answers. Any thread.</summary>
    public Transfers Transfers { get; } = new();

    public MemoryBudget Memory => budget;

    /// <summary>Counts of exchanges that reached no site.</summary>
    public Traffic Unsited { get; }

    /// <summary>Where each listener of the plan listens: a port 0 has become the one that was chosen. Any thread.</summary>
    public IReadOnlyList<(ListenerPlan Listener, NetworkAddress Address)> Addresses => addresses;

    /// <summary>Makes a plan the one in force: whole, or not at all.</summary>
    /// <param name="next">The plan.</param>
    /// <param name="trouble">What could not be bound.</param>
    /// <param name="whenBound">Called once nothing can be refused any more, before any loop sees the plan.</param>
    public bool TryExecute(Plan next, out List<string> trouble, Action? whenBound = null)
    {
        trouble = [];
        var fresh = new Dictionary<string, ListenSocket[]>();
        foreach (var listener in next.Listeners)
        {
            if (sockets.ContainsKey(listener.Name)) continue;
            if (Bind(listener, out var why) is { } bound) fresh[listener.Name] = bound;
            else trouble.Add($"cannot listen on {listener.Name}: {why}");
        }

        if (trouble.Count > 0)
        {
            foreach (var bound in fresh.Values) EndingListener.CloseAll(bound);
            return false;
        }

        var gone = End(sockets.Keys.Except(next.Listeners.Select(l => l.Name)).ToArray());
        foreach (var (name, bound) in fresh) sockets[name] = bound;
        Occupancy.Most = next.MostConnections;
        Occupancy.MostPerClient = next.MostConnectionsPerClient;
        Handshakes.Most = next.MostHandshakes;
        Handshakes.MostPerClient = next.MostHandshakesPerClient;
        Transfers.Most = next.MostParts;
        budget.Limit = next.MemoryLimit;
        var before = plan is null ? [] : Endpoints(plan).ToArray();
        whenBound?.Invoke();
        var left = before.Except(Endpoints(next)).ToArray();
        plan = next;
        addresses = [.. next.Listeners.Select(l => (l, sockets[l.Name][0].Address))];
        var now = new Dictionary<string, ListenSocket[]>(sockets);
        foreach (var worker in workers)
        {
            worker.Loop.Post(() =>
            {
                worker.Execute(next, now, gone);
                worker.Forget(left);
            });
        }

        return true;
    }

    /// <summary>Endpoints have left an upstream that stays: idle connections to them close, the others when their exchange ends. Any thread.</summary>
    public void Forget(Endpoint[] left)
    {
        foreach (var worker in workers) worker.Loop.Post(() => worker.Forget(left));
    }

    /// <summary>Starts the loops.</summary>
    public void Start()
    {
        foreach (var worker in workers) worker.Loop.Post(worker.Begin);
        ground.Start();
    }

    /// <summary>Lets what is under way come to its end; nothing new is begun on idle connections.</summary>
    /// <param name="keepAccepting">Still takes connections, so that a load balancer in front sees no refusals meanwhile.</param>
    public void Drain(bool keepAccepting = false)
    {
        EndingListener[] gone = keepAccepting ? [] : End([.. sockets.Keys]);
        foreach (var worker in workers)
        {
            worker.Loop.Post(() =>
            {
                worker.Drain();
                foreach (var listener in gone) worker.End(listener);
            });
        }
    }

    /// <summary>After <see cref="Drain"/> that kept accepting: connections are kept again.</summary>
    public void Undrain()
    {
        foreach (var worker in workers) worker.Loop.Post(worker.Undrain);
    }

    /// <summary>Client connections still open.</summary>
    public int Connections => Occupancy.Connections;

    /// <summary>Whether connections may still be taken: on a listener, or the last ones of one that ends.</summary>
    public bool IsAccepting => sockets.Count > 0 || ending.Exists(static e => !e.IsDone);

    /// <summary>Breaks what is left and stops the loops.</summary>
    public void Stop()
    {
        foreach (var worker in workers) worker.Loop.Post(worker.Stop);
        ground.Stop();
        foreach (var bound in sockets.Values) EndingListener.CloseAll(bound);
        foreach (var listener in ending) listener.Close();
        if (Connections > 0) errors.Warn("engine", $"{Connections} connections were broken off");
    }

    private static IEnumerable<Endpoint> Endpoints(Plan of) => of.Upstreams.SelectMany(u => u.Endpoints.ToArray()).Distinct();

    // An address that was just given up is free when those who waited at it are taken.
    private ListenSocket[]? Bind(ListenerPlan listener, out string trouble)
    {
        const int MostWait = 1_000;
        var since = Stopwatch.StartNew();
        while (true)
        {
            var bound = ground.Bind(listener, out trouble);
            if (bound is not null || !ending.Exists(e => e.Name == listener.Name && !e.IsDone) || since.ElapsedMilliseconds > MostWait) return bound;
            Thread.Sleep(10);
        }
    }

    // A listening socket is closed last, when nobody waits at it and no loop watches it any more.
    private EndingListener[] End(string[] names)
    {
        ending.RemoveAll(static e => e.IsDone);
        var gone = new EndingListener[names.Length];
        for (var i = 0; i < names.Length; i++)
        {
            sockets.Remove(names[i], out var bound);
            gone[i] = new EndingListener(names[i], bound!, workers.Length);
        }

        ending.AddRange(gone);
        return gone;
    }
}
