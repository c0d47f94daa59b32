// The admin listener and the control socket: the engine's own HTTP, on a loop and a thread of their own, so that a long
// scrape never delays a request and a stuck loop can still be seen.

using Weir.Engine.Http1;
using Weir.Engine.Listeners;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports;
using Weir.Control.Configuration;

namespace Weir.Control.Admin;

/// <summary>Listens for administration.</summary>
public sealed class AdminListener : IDisposable
{
    private const int MostConnections = 256;

    private readonly EpollPoller poller = new();
    private readonly Loop loop;
    private readonly Thread thread;
    private readonly List<KernelListenSocket> sockets = [];
    private readonly string? controlPath;
    private bool disposed;

    /// <summary>Where administration is listened for over TCP or a path of its own, the port that was had included; null: only the control socket.</summary>
    public NetworkAddress? Address { get; private set; }

    private AdminListener(string? controlPath)
    {
        this.controlPath = controlPath;
        loop = new Loop(poller);
        thread = new Thread(loop.Run) { IsBackground = true, Name = "weir-admin" };
    }

    /// <summary>Binds and starts; null where an address cannot be had.</summary>
    public static AdminListener? TryStart(RunningProxy proxy, AdminConfig? admin, string? controlPath, out string trouble)
    {
        trouble = "";
        var listener = new AdminListener(controlPath);
        var network = new KernelNetwork(listener.loop, listener.poller);
        var buffers = new BufferPool(new MemoryBudget(256 << 20));
        var occupancy = new Occupancy { Most = MostConnections };
        if (admin is not null && !listener.Listen(admin.Address, proxy, new AdminHandler(proxy, () => proxy.Config.Admin?.Token, isControl: false), network, buffers, occupancy, out trouble)) return null;
        if (listener.sockets.Count > 0) listener.Address = listener.sockets[0].Address;
        if (controlPath is not null && !listener.ListenControl(controlPath, proxy, network, buffers, occupancy, out trouble)) return null;
        listener.thread.Start();
        return listener;
    }

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        loop.Stop();
        thread.Join(2_000);
        foreach (var socket in sockets) socket.Close();
        try
        {
            if (controlPath is not null) File.Delete(controlPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Bound as root in a folder that the user we became may not change: the next start finds that nobody answers there.
        }
    }

    private bool Listen(NetworkAddress address, RunningProxy proxy, AdminHandler handler, KernelNetwork network, BufferPool buffers, Occupancy occupancy, out string trouble)
    {
        trouble = "";
        var bound = KernelListenSocket.Bind(address, 1, reusePort: false, 128, out var error);
        if (bound is null)
        {
            trouble = $"cannot listen on {address}: {(error == Errno.AddressInUse ? "the address is in use" : Errno.Describe(error))}";
            return false;
        }

        sockets.AddRange(bound);
        var host = new ServerHost(loop, buffers, handler, bug => proxy.Errors.Error("admin", bug.ToString())) { OnClosed = occupancy.Release };
        new Admission(loop, network.Accept(bound[0]), host, occupancy, proxy.Errors, $"admin {address}").RunAsync().Detach();
        return true;
    }

    private bool ListenControl(string path, RunningProxy proxy, KernelNetwork network, BufferPool buffers, Occupancy occupancy, out string trouble)
    {
        try
        {
            if (Path.GetDirectoryName(path) is { Length: > 0 } folder) Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            if (File.Exists(path))
            {
                if (ControlClient.IsAnswered(path))
                {
                    trouble = $"another weir answers on the control socket {path}";
                    return false;
                }

                File.Delete(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            trouble = $"cannot use the control socket {path}: {e.Message}";
            return false;
        }

        if (!Listen(NetworkAddress.FromPath(path), proxy, new AdminHandler(proxy, static () => null, isControl: true), network, buffers, occupancy, out trouble)) return false;
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return true;
    }
}
