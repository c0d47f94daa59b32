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
    // Each: whoever fills the TCP address leaves the control socket free.
    private const int MostConnections = 256;

    // Of a Unix socket: whoever may open it may administrate.
    private static readonly SocketAccess OwnerOnly = new(UnixFileMode.UserRead | UnixFileMode.UserWrite, null, null);

    private readonly EpollPoller poller = new();
    private readonly Loop loop;
    private readonly Thread thread;
    private readonly RunningProxy proxy;
    private readonly KernelNetwork network;
    private readonly BufferPool buffers = new(new MemoryBudget(256 << 20));
    private readonly List<KernelListenSocket> sockets = [];
    private string? ownControlPath;
    private bool disposed;

    private AdminListener(RunningProxy proxy)
    {
        this.proxy = proxy;
        loop = new Loop(poller);
        network = new KernelNetwork(loop, poller);
        thread = new Thread(() => loop.Run(bug => proxy.Errors.Error("admin", $"a mistake of ours: {bug}"))) { IsBackground = true, Name = "weir-admin" };
    }

    /// <summary>Where administration is listened for, the port that was had included; null: only the control socket.</summary>
    public NetworkAddress? Address { get; private set; }

    /// <summary>Binds, and answers nobody yet; null where an address cannot be had.</summary>
    public static AdminListener? TryBind(RunningProxy proxy, AdminConfig? admin, string? controlPath, out string trouble)
    {
        trouble = "";
        var listener = new AdminListener(proxy);
        if ((admin is null || listener.Listen(admin.Address, new AdminHandler(proxy, () => proxy.AdminToken, isControl: false), out trouble))
            && (controlPath is null || listener.ListenControl(controlPath, out trouble)))
        {
            if (admin is not null) listener.Address = listener.sockets[0].Address;
            return listener;
        }

        listener.Dispose();
        return null;
    }

    /// <summary>Answers.</summary>
    public void Start() => thread.Start();

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        loop.Stop();
        if (thread.IsAlive) thread.Join(2_000);
        foreach (var socket in sockets) socket.Close();
        try
        {
            if (ownControlPath is not null) File.Delete(ownControlPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Bound as root in a folder that the user we became may not change: the next start finds that nobody answers there.
        }
    }

    private bool Listen(NetworkAddress address, AdminHandler handler, out string trouble)
    {
        trouble = "";
        var bound = KernelListenSocket.Bind(address, 1, reusePort: false, 128, out var error, OwnerOnly);
        if (bound is null)
        {
            trouble = $"cannot listen on {address}: {(error == Errno.AddressInUse ? "the address is in use" : Errno.Describe(error))}";
            return false;
        }

        sockets.AddRange(bound);
        var occupancy = new Occupancy { Most = MostConnections };
        var host = new ServerHost(loop, buffers, handler, bug => proxy.Errors.Error("admin", bug.ToString())) { OnClosed = occupancy.Leave };
        new Admission(loop, network.Accept(bound[0]), new FrontDoor(host, new HandshakeCounts(), proxy.Errors, $"admin {address}"), occupancy, proxy.Errors, $"admin {address}").RunAsync().Detach();
        return true;
    }

    private bool ListenControl(string path, out string trouble)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > NetworkAddress.LongestUnixPath)
        {
            trouble = $"the control socket's path {path} is longer than the {NetworkAddress.LongestUnixPath} bytes that a socket's may have";
            return false;
        }

        try
        {
            if (Path.GetDirectoryName(path) is { Length: > 0 } folder) Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            trouble = $"cannot use the control socket {path}: {e.Message}";
            return false;
        }

        if (ControlClient.IsAnswered(path))
        {
            trouble = $"another weir answers on the control socket {path}: 'control' in the configuration, or --control, gives this one its own";
            return false;
        }

        // A socket that nobody answers on is taken over; anything else that bears the name stays.
        if (!Listen(NetworkAddress.FromPath(path), new AdminHandler(proxy, static () => null, isControl: true), out trouble))
        {
            trouble = $"the control socket: {trouble}";
            return false;
        }

        ownControlPath = path;
        return true;
    }
}
