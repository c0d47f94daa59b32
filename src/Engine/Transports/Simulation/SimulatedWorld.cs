// A world in memory with a clock of its own: loops, listeners and connections whose every delay, split and fault comes from
// one seed, so that a seed replays a failure exactly. Runs on the calling thread.
//
// Where the kernel is nasty the world is too: a read that came short clears readiness, data and end may arrive in one
// event, a reset destroys what was under way, writes are taken in part.

using Weir.Engine.Loops;
using Weir.Engine.Transports.Simulation.Links;

namespace Weir.Engine.Transports.Simulation;

/// <summary>How nasty the network is. Chances are per event, from 0 to 1.</summary>
public sealed record Weather
{
    /// <summary>Milliseconds a delivery takes, at most.</summary>
    public int MostDelay { get; init; } = 20;

    /// <summary>Bytes delivered at once, at most.</summary>
    public int MostDelivered { get; init; } = 4096;

    /// <summary>Bytes under way or unread on one direction before writes are refused.</summary>
    public int Window { get; init; } = 16384;

    /// <summary>Whether a write is taken in part even where there is room for all of it.</summary>
    public bool SplitsWrites { get; init; } = true;

    /// <summary>A delivery after which the connection is reset.</summary>
    public double Reset { get; init; }

    /// <summary>A connection that is refused.</summary>
    public double Refuse { get; init; }

    /// <summary>A delivery that takes a hundred times as long.</summary>
    public double Stall { get; init; }
}

/// <summary>The world.</summary>
public sealed class SimulatedWorld
{
    private readonly PriorityQueue<Action, (long At, long Order)> events = new();
    private readonly Dictionary<NetworkAddress, SimulatedListenSocket> listeners = [];
    private readonly List<Loop> loops = [];
    private readonly List<SimulatedPoller> pollers = [];
    private readonly Dictionary<Loop, string> places = [];
    private readonly Dictionary<(string, string), Link> links = [];
    private long order;
    private int nextPort = 30_000;

    public SimulatedWorld(int seed, Weather? weather = null)
    {
        Random = new Random(seed);
        Weather = weather ?? new Weather();
    }

    public Random Random { get; set; }

    public Weather Weather { get; set; }

    /// <summary>Microseconds since the world began.</summary>
    public long Now { get; private set; } = 1_000_000;

    /// <summary>Added to the wall clock only: it may jump, the other never does.</summary>
    public TimeSpan WallJump { get; set; }

    /// <summary>A number that any difference between two runs changes.</summary>
    public ulong Trace { get; private set; } = 14695981039346656037;

    /// <summary>Events so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Makes a loop of this world, with its network.</summary>
    /// <param name="place">Where it stands: what lies between places is said by <see cref="Join"/>.</param>
    public (Loop Loop, Network Network) AddLoop(string place = "")
    {
        var poller = new SimulatedPoller(this);
        var loop = new Loop(poller, loops.Count);
        pollers.Add(poller);
        loops.Add(loop);
        places[loop] = place;
        return (loop, new SimulatedNetwork(this, loop));
    }

    /// <summary>Puts a link between two places: connections between their loops go over it, in place of the weather.</summary>
    public Link Join(string one, string other, LinkSettings settings)
    {
        var link = new Link(this, one, other, settings);
        links[(one, other)] = links[(other, one)] = link;
        return link;
    }

    /// <summary>Listens on an address.</summary>
    public SimulatedListenSocket Listen(NetworkAddress address)
    {
        var socket = new SimulatedListenSocket(this, address);
        listeners[address] = socket;
        return socket;
    }

    /// <summary>Runs until nothing happens any more, or until <paramref name="milliseconds"/> have passed.</summary>
    /// <returns>False where more steps were made than a sound world needs: something spins.</returns>
    public bool Run(long milliseconds, long mostSteps = 2_000_000)
    {
        var end = Now + (milliseconds * 1000);
        while (true)
        {
            var worked = true;
            while (worked)
            {
                worked = false;
                // Every loop that has something to do has its turn; who is first is the seed's choice.
                var first = loops.Count == 0 ? 0 : Random.Next(loops.Count);
                for (var i = 0; i < loops.Count; i++) worked |= loops[(first + i) % loops.Count].Turn(mayWait: false);
                if (++Steps > mostSteps) return false;
            }

            var next = events.TryPeek(out _, out var due) ? due.At : long.MaxValue;
            foreach (var loop in loops)
            {
                var timer = loop.NextTimer();
                if (timer != long.MaxValue) next = Math.Min(next, timer * 1000);
            }

            if (next == long.MaxValue || next > end)
            {
                Now = Math.Max(Now, end);
                return true;
            }

            Now = Math.Max(Now, next);
            while (events.TryPeek(out var act, out due) && due.At <= Now)
            {
                events.Dequeue();
                Mix((ulong)due.At);
                act();
            }
        }
    }

    /// <summary>Does something after a delay.</summary>
    public void After(long microseconds, Action act) => events.Enqueue(act, (Now + microseconds, order++));

    /// <summary>A chance, drawn from the seed.</summary>
    public bool Chance(double of) => of > 0 && Random.NextDouble() < of;

    internal Link? LinkBetween(Loop one, Loop other) => links.Count == 0 ? null : links.GetValueOrDefault((places[one], places[other]));

    internal string PlaceOf(Loop loop) => places[loop];

    internal void Mix(ulong value) => Trace = (Trace ^ value) * 1099511628211;

    internal long Delay() => (Random.Next(0, (Weather.MostDelay * 1000) + 1) + 1) * (Chance(Weather.Stall) ? 100 : 1);

    internal SimulatedListenSocket? ListenerAt(NetworkAddress address) => listeners.GetValueOrDefault(address);

    internal void Forget(SimulatedListenSocket socket)
    {
        if (ListenerAt(socket.Address) == socket) listeners.Remove(socket.Address);
    }

    internal NetworkAddress NextLocal() => NetworkAddress.FromIp(System.Net.IPAddress.Loopback, nextPort++ % 65_000);
}

/// <summary>The poller of one simulated loop: its events are what the world has made ready.</summary>
internal sealed class SimulatedPoller(SimulatedWorld world) : Poller
{
    private readonly Queue<(SimulatedEvents? Events, SimulatedAcceptor? Acceptor)> ready = new();
    private int batch;
    private int pending;

    public override Random Random => world.Random;

    public override DateTime UtcNow => DateTime.UnixEpoch.AddYears(50).AddMicroseconds(world.Now) + world.WallJump;

    public override long Milliseconds() => world.Now / 1000;

    public override long Microseconds() => world.Now;

    public void Enqueue(SimulatedEvents events) => ready.Enqueue((events, null));

    public void Enqueue(SimulatedAcceptor acceptor) => ready.Enqueue((null, acceptor));

    public override int Batch => batch;

    public override int Wait(int timeout) => batch = pending = ready.Count;

    public override void Dispatch()
    {
        for (; pending > 0; pending--)
        {
            var (events, acceptor) = ready.Dequeue();
            events?.Dispatch();
            acceptor?.Acceptable.Raise();
        }
    }

    public override void Wake()
    {
    }

    public override void Dispose()
    {
    }
}
