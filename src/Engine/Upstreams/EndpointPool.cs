// The connections to one endpoint that one loop keeps for later. The freshest is taken first; a sweep closes those that
// the origin has closed, that have waited too long, or that are too many. The loop's own thread only; another that needs a
// connection more than this one keeps asks by a post.

using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Transports;

namespace Weir.Engine.Upstreams;

/// <summary>Idle connections to one endpoint, on one loop; takes back the slots it lends.</summary>
public sealed class EndpointPool(Endpoint endpoint) : Posted, ISlotOwner
{
    private ClientConnection?[] stack = new ClientConnection?[4];
    private int count;
    private long opened;
    private long reused;
    private bool left;
    private Loop? home; // Known from the first connection that was kept.
    private int asked;

    public bool PeerIsHttp10
    {
        get => endpoint.IsHttp10;
        set => endpoint.IsHttp10 = value;
    }

    /// <summary>Idle connections now. Readable from any thread.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Connections made, and exchanges that went on one that was there. Readable from any thread.</summary>
    public (long Opened, long Reused) Uses => (Volatile.Read(ref opened), Volatile.Read(ref reused));

    /// <summary>Takes the freshest connection that is not known dead.</summary>
    public ClientConnection? TryTake(long now)
    {
        var settings = endpoint.Settings;
        while (count > 0)
        {
            var connection = stack[--count]!;
            stack[count] = null;
            if (IsGood(connection, now, settings, endpoint.Addresses))
            {
                reused++;
                endpoint.BeginExchange();
                connection.BeginExchange(reused: true);
                return connection;
            }

            connection.Close();
        }

        return null;
    }

    /// <summary>Takes a new connection into the books, lent for its first exchange.</summary>
    public void Opened(ClientConnection connection)
    {
        opened++;
        endpoint.ConnectionOpened();
        endpoint.BeginExchange();
        connection.BeginExchange(reused: false);
    }

    public void ExchangeEnded(OriginStream slot, bool reusable, Loop loop)
    {
        endpoint.EndExchange();
        var connection = (ClientConnection)slot;
        if (!reusable || left || count >= endpoint.Settings.IdleConnections || endpoint.Home?.IsWanted(endpoint) == true)
        {
            connection.Close();
            return;
        }

        connection.IdleSince = loop.Now;
        home ??= loop;
        if (count == stack.Length) Array.Resize(ref stack, stack.Length * 2);
        stack[count] = connection;
        Volatile.Write(ref count, count + 1);
        if (endpoint.Settings.Bounds is null) return;
        // Who began to wait meanwhile may have found nothing idle here.
        Interlocked.MemoryBarrier();
        if (endpoint.Home?.IsWanted(endpoint) == true) GiveUpOldest();
    }

    /// <summary>Another loop's exchange needs a connection, and too many are open. Any thread.</summary>
    internal void AskToGiveUp()
    {
        if (Count > 0 && Volatile.Read(ref home) is { } loop && Interlocked.Exchange(ref asked, 1) == 0) loop.Post(this);
    }

    public override void Run()
    {
        Interlocked.Exchange(ref asked, 0);
        while (count > 0 && endpoint.Home!.IsWanted(endpoint)) GiveUpOldest();
    }

    /// <summary>Closes the connection that has waited longest.</summary>
    internal bool GiveUpOldest()
    {
        if (count == 0) return false;
        var oldest = stack[0]!;
        Array.Copy(stack, 1, stack, 0, count - 1);
        stack[--count] = null;
        oldest.Close();
        return true;
    }

    public void ConnectionClosed() => endpoint.ConnectionClosed();

    /// <summary>The endpoint has left the plan: idle connections close now, the others when their exchange ends.</summary>
    public void Leave(Loop loop)
    {
        left = true;
        Sweep(loop.Now, all: true);
        endpoint.Tls?.Leave(loop);
    }

    /// <summary>Closes what is dead or too old, or all.</summary>
    public void Sweep(long now, bool all = false)
    {
        var kept = 0;
        for (var i = 0; i < count; i++)
        {
            var connection = stack[i]!;
            if (!all && IsGood(connection, now, endpoint.Settings, endpoint.Addresses)) stack[kept++] = connection;
            else connection.Close();
        }

        for (var i = kept; i < count; i++) stack[i] = null;
        count = kept;
    }

    private static bool IsGood(ClientConnection connection, long now, UpstreamSettings settings, NetworkAddress[] addresses) =>
        !connection.IsDead && (connection.SeenAmong == addresses || IsAmong(connection, addresses)) && now - connection.IdleSince <= settings.KeepAlive && now - connection.OpenedAt <= settings.ConnectionAge;

    // Its name may lead elsewhere by now, though the server that it led to still answers.
    private static bool IsAmong(ClientConnection connection, NetworkAddress[] addresses)
    {
        if (connection.Address is { } address && Array.IndexOf(addresses, address) < 0) return false;
        connection.SeenAmong = addresses;
        return true;
    }
}
