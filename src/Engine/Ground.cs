// What an engine stands on: its loops, how they run, their networks, and binding. The kernel's ground runs a thread a
// loop; a simulated world brings its own.

using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Engine;

/// <summary>The ground under an engine.</summary>
public abstract class Ground
{
    public abstract IReadOnlyList<Loop> Loops { get; }

    public abstract Network NetworkOf(Loop loop);

    /// <summary>Binds an address: one socket per loop, or one that all share. Null, with words for people, where it fails.</summary>
    public abstract ListenSocket[]? Bind(ListenerPlan listener, out string trouble);

    /// <summary>Starts the loops.</summary>
    public abstract void Start();

    /// <summary>Stops the loops, and waits until they have.</summary>
    public abstract void Stop();
}

/// <summary>Epoll loops on threads of their own.</summary>
public sealed class KernelGround : Ground
{
    private readonly EpollPoller[] pollers;
    private readonly Loop[] loops;
    private readonly KernelNetwork[] networks;
    private readonly Thread[] threads;
    private readonly Dictionary<string, KernelListenSocket> inherited = [];

    public KernelGround(int count, ErrorLog errors)
    {
        pollers = new EpollPoller[count];
        loops = new Loop[count];
        networks = new KernelNetwork[count];
        threads = new Thread[count];
        for (var i = 0; i < count; i++)
        {
            pollers[i] = new EpollPoller();
            var loop = loops[i] = new Loop(pollers[i], i);
            networks[i] = new KernelNetwork(loop, pollers[i]);
            threads[i] = new Thread(() => loop.Run(bug => errors.Error("loop", $"a mistake of ours on loop {loop.Index}: {bug}"))) { IsBackground = true, Name = $"weir-loop-{i}" };
        }
    }

    public override IReadOnlyList<Loop> Loops => loops;

    public override Network NetworkOf(Loop loop) => networks[loop.Index];

    /// <summary>Offers a socket that listens already: it is used instead of binding its address.</summary>
    public NetworkAddress Inherit(int descriptor)
    {
        var socket = KernelListenSocket.Adopt(descriptor);
        inherited[socket.Address.ToString()] = socket;
        return socket.Address;
    }

    /// <summary>Sockets handed down that no listener has used.</summary>
    public IEnumerable<NetworkAddress> Unused => inherited.Values.Select(s => s.Address);

    public override ListenSocket[]? Bind(ListenerPlan listener, out string trouble)
    {
        trouble = "";
        if (inherited.Remove(listener.Address.ToString(), out var handed)) return [handed];
        var sockets = KernelListenSocket.Bind(listener.Address, loops.Length, listener.SharesPort, listener.Backlog, out var error, listener.Access);
        if (sockets is null) trouble = error == Errno.AddressInUse ? "the address is in use" : Errno.Describe(error);
        return sockets;
    }

    public override void Start()
    {
        foreach (var thread in threads) thread.Start();
    }

    public override void Stop()
    {
        foreach (var loop in loops) loop.Stop();
        foreach (var thread in threads)
        {
            if (thread.IsAlive) thread.Join(5_000);
        }

        foreach (var socket in inherited.Values) socket.Close();
    }
}
