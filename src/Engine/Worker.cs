// All that one loop owns: buffers, connections to origins, the listeners it accepts for. Everything here runs on the
// loop; whoever is outside posts.

using Weir.Engine.Acceleration;
using Weir.Engine.Caching;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Listeners;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Mirroring;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;

namespace Weir.Engine;

/// <summary>One loop's part of the engine.</summary>
public sealed class Worker
{
    private const int SweepEvery = 1_000;
    private const int ProbeEvery = 100;
    private const int TrimEvery = 10_000;

    private readonly MemoryBudget budget;
    private readonly Occupancy occupancy;
    private readonly HandshakeCounts handshakes;
    private readonly ErrorLog errors;
    private readonly Forwarder forwarder;
    private readonly Accelerator accelerator;
    private readonly Mirrors mirrors;
    private readonly CacheStage caching;
    private readonly Dictionary<string, Served> listeners = [];
    private readonly List<Served> leaving = [];
    private Upstream[] upstreams = [];
    private long refusalsSeen;
    private bool stopped;

    public Worker(Loop loop, Network network, MemoryBudget budget, Occupancy occupancy, HandshakeCounts handshakes, Transfers transfers, ErrorLog errors, Traffic unsited)
    {
        Loop = loop;
        Network = network;
        this.budget = budget;
        this.occupancy = occupancy;
        this.handshakes = handshakes;
        this.errors = errors;
        Buffers = new BufferPool(budget);
        Coders = new BodyCoders(loop, Buffers, budget);
        Records = new LoopRecords(loop.Index, unsited);
        forwarder = new Forwarder(new Connector(loop, network, Buffers, errors), new ReplayBodies(loop, Buffers));
        mirrors = new Mirrors(loop, Buffers, forwarder, Records, errors);
        Digests = new BodyDigests(errors);
        accelerator = new Accelerator(loop, Buffers, forwarder, Digests, Records, transfers, errors);
        caching = new CacheStage(loop, Buffers, forwarder, accelerator, mirrors, Digests, Records, errors);
    }

    public Loop Loop { get; }

    /// <summary>The network as this loop sees it. On the loop.</summary>
    public Network Network { get; }

    public BufferPool Buffers { get; }

    /// <summary>What compresses and decompresses bodies.</summary>
    public BodyCoders Coders { get; }

    /// <summary>What verifies and tells digests of bodies.</summary>
    public BodyDigests Digests { get; }

    public LoopRecords Records { get; }

    /// <summary>Client connections of this loop. Any thread.</summary>
    public int Connections { get; private set; }

    /// <summary>Starts the loop's own clockwork. On the loop.</summary>
    public void Begin()
    {
        SweepAsync().Detach();
        ProbeAsync().Detach();
    }

    /// <summary>Executes a plan from now on. On the loop.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="sockets">Sockets by listener name; those of listeners that stay are the same as before.</param>
    /// <param name="ending">The listeners that are gone.</param>
    public void Execute(Plan plan, IReadOnlyDictionary<string, ListenSocket[]> sockets, IEnumerable<EndingListener> ending)
    {
        upstreams = plan.Upstreams;
        foreach (var listener in plan.Listeners)
        {
            if (!listeners.TryGetValue(listener.Name, out var served))
            {
                var own = sockets[listener.Name];
                served = Listen(own[own.Length == 1 ? 0 : Loop.Index], listener);
                listeners[listener.Name] = served;
            }

            served.Pipeline.Plan = plan;
            served.Pipeline.Listener = listener;
            served.Host.Settings = listener.Settings;
            served.Door.Tls = listener.Tls;
        }

        foreach (var listener in ending) End(listener);
    }

    /// <summary>Closes connections to endpoints that have left the plan. On the loop.</summary>
    public void Forget(IEnumerable<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints) endpoint.Pool(Loop.Index).Leave(Loop);
    }

    /// <summary>Idle connections close, the others after their response. On the loop.</summary>
    public void Drain()
    {
        foreach (var served in listeners.Values) served.Host.Drain();
    }

    /// <summary>Takes who waits at a listener, and then nobody; its connections end as in <see cref="Drain"/>. On the loop.</summary>
    public void End(EndingListener listener)
    {
        listeners.Remove(listener.Name, out var served);
        leaving.Add(served!);
        served!.Host.Drain();
        served.Door.End();
        served.Admission.Close(listener.Linger, listener.Done);
    }

    /// <summary>Connections are kept again. On the loop.</summary>
    public void Undrain()
    {
        foreach (var served in listeners.Values) served.Host.Undrain();
    }

    /// <summary>Ends what is still under way. On the loop.</summary>
    public void Stop()
    {
        foreach (var served in listeners.Values.Concat(leaving))
        {
            served.Door.Stop();
            served.Host.Stop();
        }

        mirrors.Stop();
        caching.Stop();
        foreach (var upstream in upstreams)
        {
            foreach (var endpoint in upstream.Endpoints) endpoint.Pool(Loop.Index).Leave(Loop);
        }

        stopped = true;
    }

    private Served Listen(ListenSocket socket, ListenerPlan listener)
    {
        var pipeline = new Pipeline(forwarder, accelerator, caching, mirrors, Coders, Digests, Records, errors);
        var host = new ServerHost(Loop, Buffers, pipeline, bug => errors.Error("connection", $"a mistake of ours ended a connection: {bug}"));
        host.OnClosed = counted =>
        {
            Connections--;
            occupancy.Leave(counted);
        };
        host.OnOpened = () => Connections++;
        var door = new FrontDoor(host, handshakes, errors, listener.Name)
        {
            Tls = listener.Tls,
            OnBegun = () => Connections++,
            OnRefused = occupancy.Leave,
            OnEnded = (isServed, counted) =>
            {
                Connections--;
                if (!isServed) occupancy.Leave(counted);
            },
        };
        var admission = new Admission(Loop, Network.Accept(socket), door, occupancy, errors, listener.Name);
        admission.RunAsync().Detach();
        return new Served(host, door, pipeline, admission);
    }

    // Origins close idle connections when they like; they are let go within a second.
    private async LoopTask SweepAsync()
    {
        var waiter = new Waiter(Loop);
        var trim = Loop.Now + TrimEvery;
        while (!stopped)
        {
            await waiter.Until(Loop.Now + SweepEvery);
            if (Loop.Now >= trim)
            {
                trim = Loop.Now + TrimEvery;
                Buffers.Trim();
                Coders.Coders.Trim();
            }

            foreach (var upstream in upstreams) SweepPools(upstream);
            leaving.RemoveAll(static served => served.Admission.IsDone && served.Host.Count + served.Door.Count == 0);
            LookAtRefusals();
        }
    }

    // A request without a buffer is answered 503; who runs this must hear why. What this loop keeps is another's then.
    private void LookAtRefusals()
    {
        var refusals = budget.Refusals;
        if (refusals == refusalsSeen) return;
        refusalsSeen = refusals;
        Buffers.LetGo();
        Coders.Coders.LetGo();
        if (Loop.Index == 0) errors.Warn("memory", $"no buffer could be had: limits.memory allows {budget.Limit >> 20} MiB");
    }

    private void SweepPools(Upstream upstream)
    {
        foreach (var endpoint in upstream.Endpoints) endpoint.Pool(Loop.Index).Sweep(Loop.Now);
        if (Loop.Index == 0) upstream.LookAgain(Loop.Now);
    }

    // How late a timer fires is how long anything on this loop may have had to wait.
    private async LoopTask ProbeAsync()
    {
        var waiter = new Waiter(Loop);
        while (!stopped)
        {
            var due = Loop.Now + ProbeEvery;
            await waiter.Until(due);
            Records.Turns.Record(Math.Max(0, (Loop.Microseconds() / 1000) - due) * 1000);
        }
    }

    private sealed record Served(ServerHost Host, FrontDoor Door, Pipeline Pipeline, Admission Admission);
}
