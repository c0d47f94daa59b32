// A client's connection over HTTP/1.1, from accept to close. While it is idle it is this object, its transport, one waiter
// and one suspended method, and nothing else. Bugs end here: this is the connection's outermost loop.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Wire.Http1;

namespace Weir.Engine.Http1;

/// <summary>What handles an exchange: the pipeline, or the admin listener.</summary>
public interface IExchangeHandler
{
    /// <summary>
    /// Handles an exchange to its end. An exchange whose <see cref="Exchange.Fault"/> is set on entry was refused at the
    /// edge and is only to be answered and recorded.
    /// </summary>
    LoopTask HandleAsync(Exchange exchange);
}

/// <summary>What a listener gives its connections: limits, times, who handles. Swapped whole by a new plan.</summary>
public sealed record ServerSettings
{
    public HeadLimits HeadLimits { get; init; } = HeadLimits.Default;

    public Timeouts Timeouts { get; init; } = new();

    /// <summary>Requests a connection may carry; 0: no limit.</summary>
    public long RequestsPerConnection { get; init; }

    /// <summary>How old a connection may grow, in ms, before its next response ends it.</summary>
    public long ConnectionAge { get; init; } = Timeouts.None;
}

/// <summary>One client connection. One loop.</summary>
public sealed class ServerConnection
{
    // Pipelined requests served before others on the loop have their turn.
    private const int RequestsPerTurn = 16;

    // Who has connected is about to ask: while draining, for so long (ms) it is waited for.
    private const long FreshPatience = 2_000;

    private readonly ServerHost host;
    private readonly Waiter idle;
    private readonly long openedAt;
    private long requests;
    private ServerStream? serving;
    private ConnectionEnds ends;
    private bool lingering;
    private bool stopped;

    internal ServerConnection(Transport transport, ServerHost host)
    {
        Transport = transport;
        this.host = host;
        idle = new Waiter(transport.Loop);
        openedAt = transport.Loop.Now;
    }

    internal ServerConnection? Previous { get; set; }

    internal ServerConnection? Following { get; set; }

    /// <summary>The client's address if it was counted under it.</summary>
    internal System.Net.IPAddress? Counted { get; init; }

    internal Transport Transport { get; }

    internal HeadLimits HeadLimits => host.Settings.HeadLimits;

    internal Timeouts Timeouts => host.Settings.Timeouts;

    internal ConnectionEnds Ends => ends.LocalPort != 0 || ends.ClientAddress is not null ? ends : ends = ReadEnds();

    /// <summary>Whether the response under way is the connection's last.</summary>
    internal bool IsLast =>
        host.IsDraining
        || (host.Settings.RequestsPerConnection > 0 && requests >= host.Settings.RequestsPerConnection)
        || (host.Settings.ConnectionAge != Timeouts.None && Transport.Loop.Now - openedAt > host.Settings.ConnectionAge);

    internal void CountRequest() => requests++;

    /// <summary>
    /// Lets go of an idle connection unless a request has just come; one that has asked nothing yet has a little time. One that
    /// serves ends after its response, one that lingers by itself.
    /// </summary>
    internal void Drain()
    {
        if (!lingering) idle.Cancel();
    }

    /// <summary>Ends what is still being served: draining has taken too long.</summary>
    internal void Stop()
    {
        stopped = true;
        idle.Cancel();
        serving?.Exchange.InterruptAll(new Fault(FaultCause.Stopping, Side.Proxy, Stage.Relay));
    }

    internal async LoopTask RunAsync()
    {
        var next = Next.Close;
        try
        {
            do
            {
                // Idle: nothing is held but this.
                if (!Transport.Readable.IsSet)
                {
                    var wake = await idle.FirstOf(Transport.Readable, Timeouts.After(Transport.Loop.Now, Patience));
                    if (wake == Wake.Deadline || stopped) break;
                }

                serving = host.Lease();
                serving.Attach(this);
                for (var served = 1; ; served++)
                {
                    var head = serving.Begin();
                    if (head == HeadProgress.Wait) head = await serving.AwaitHeadAsync();
                    next = head == HeadProgress.Idle ? Next.Idle : Next.Close;
                    if (head == HeadProgress.Idle && host.IsDraining && requests > 0) next = Next.Close;
                    if (head is HeadProgress.Idle or HeadProgress.Left) break;

                    await host.Handler.HandleAsync(serving.Exchange);
                    next = serving.Conclude();
                    if (next == Next.Drain) next = await serving.DrainAsync();
                    var hasMore = serving.End();
                    if (next != Next.Idle || !hasMore) break;
                    if (served % RequestsPerTurn == 0) await serving.Exchange.Flow.Yield();
                }

                serving.Detach();
                host.Return(serving);
                serving = null;
            }
            while (next == Next.Idle);

            if (next == Next.Linger) await LingerAsync();
        }
#pragma warning disable CA1031 // The connection's outermost loop: a bug ends this connection, is told, and harms no other.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            serving?.Abandon();
            host.Report(bug);
        }
        finally
        {
            Transport.Close(reset: next == Next.Reset);
            idle.Release();
            host.Closed(this);
        }
    }

    private long Patience =>
        requests > 0 ? Timeouts.KeepAlive : host.IsDraining ? Math.Min(Timeouts.Header, FreshPatience) : Timeouts.Header;

    // Closing with unread bytes would reset the connection and could destroy the answer on its way (RFC 9112 §9.6).
    private async LoopTask LingerAsync()
    {
        lingering = true;
        Transport.ShutdownWrite();
        var deadline = Transport.Loop.Now + 2_000;
        for (var left = 1 << 20; left > 0;)
        {
            var got = ReadAway();
            if (got.Status == IoStatus.Some) left -= got.Count;
            else if (got.Status != IoStatus.WouldBlock || await idle.FirstOf(Transport.Readable, deadline) != Wake.First) return;
        }
    }

    private IoResult ReadAway()
    {
        Span<byte> nowhere = stackalloc byte[8192];
        return Transport.TryRead(nowhere);
    }

    private ConnectionEnds ReadEnds() => new(Transport.Remote.Ip, Transport.Remote.Port, Transport.LocalPort, Transport.Tls);
}
