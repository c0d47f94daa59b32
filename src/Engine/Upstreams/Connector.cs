// Lending a slot for one exchange: the freshest idle connection, or a new one, tried on each address of the endpoint in
// order, once there may be one more. Belongs to one loop. A lent slot comes back through its release, never through the lender.

using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Engine.Upstreams;

/// <summary>How an attempt to get a slot ended.</summary>
public readonly record struct Lent(OriginStream? Stream, FaultCause Cause);

/// <summary>Lends connections on one loop.</summary>
public sealed class Connector(Loop loop, Network network, BufferPool buffers, ErrorLog errors)
{
    /// <summary>Takes an idle connection, without waiting.</summary>
    public OriginStream? TryTakeIdle(Endpoint endpoint) => endpoint.Pool(loop.Index).TryTake(loop.Now);

    /// <summary>
    /// Makes a new connection; each address of the endpoint has the whole time.
    /// </summary>
    /// <param name="endpoint">To whom.</param>
    /// <param name="exchange">On whose behalf.</param>
    /// <param name="flow">Where it is waited.</param>
    /// <param name="gone">What ends the attempt: the client leaves. Null: nothing.</param>
    /// <param name="timeout">Milliseconds for each address.</param>
    public async LoopTask<Lent> ConnectAsync(Endpoint endpoint, Exchange exchange, Waiter flow, Signal? gone, long timeout)
    {
        endpoint.BeginConnect();
        var isHeld = false;
        try
        {
            if (endpoint.Home is { AreBounded: true } bounded)
            {
                var refused = await bounded.HoldAsync(endpoint, exchange, flow, gone, timeout);
                if (refused != FaultCause.None) return new Lent(null, refused);
            }
            else
            {
                endpoint.Hold();
            }

            isHeld = true;
            var lent = await TryAddressesAsync(endpoint, exchange, flow, gone, timeout);
            isHeld = lent.Stream is null;
            return lent;
        }
        finally
        {
            endpoint.EndConnect();
            if (isHeld) endpoint.LetGo();
        }
    }

    private async LoopTask<Lent> TryAddressesAsync(Endpoint endpoint, Exchange exchange, Waiter flow, Signal? gone, long timeout)
    {
        var cause = FaultCause.NoEndpoint;
        var why = "no connection could be made";
        foreach (var address in endpoint.Addresses)
        {
            var deadline = exchange.Deadline(timeout);
            var transport = network.Connect(address, out var error);
            if (transport is null)
            {
                cause = Say(endpoint, address, error);
                continue;
            }

            var wake = gone is not null ? await flow.FirstOf(transport.Writable, gone, deadline) : await flow.FirstOf(transport.Writable, deadline);
            if (wake != Wake.First)
            {
                transport.Close(reset: true);
                if (wake != Wake.Deadline) return new Lent(null, wake == Wake.Cancelled ? FaultCause.Stopping : FaultCause.Closed);
                cause = Say(endpoint, address, Errno.TimedOut);
                if (exchange.Loop.Now >= exchange.TotalDeadline) break;
                continue;
            }

            error = transport.ConnectError();
            if (error != 0)
            {
                transport.Close();
                cause = Say(endpoint, address, error);
                continue;
            }

            if (endpoint.Tls is { } tls)
            {
                var agreed = await ClientHandshake.RunAsync(tls.Connect(transport), transport, flow, gone, deadline);
                if (agreed.Transport is null)
                {
                    if (agreed.Wake is not (Wake.First or Wake.Deadline)) return new Lent(null, agreed.Wake == Wake.Cancelled ? FaultCause.Stopping : FaultCause.Closed);
                    (cause, why) = Say(endpoint, address, agreed);
                    if (exchange.Loop.Now >= exchange.TotalDeadline) break;
                    continue;
                }

                transport = agreed.Transport;
                endpoint.Shook(null, transport.Tls!.IsResumed);
            }

            var pool = endpoint.Pool(loop.Index);
            var connection = new ClientConnection(transport, buffers, pool) { Address = address };
            pool.Opened(connection);
            endpoint.Connected();
            return new Lent(connection, FaultCause.None);
        }

        endpoint.ConnectFailed(why, loop.Now, cause is not (FaultCause.NoEndpoint or FaultCause.Exhausted));
        return new Lent(null, cause);
    }

    // A session that the origin did not like is not offered again.
    private (FaultCause Cause, string Why) Say(Endpoint endpoint, NetworkAddress address, Agreed agreed)
    {
        endpoint.Tls!.Forget(loop);
        var why = agreed.Trouble == TlsTrouble.Certificate ? $"certificate of {address} is not accepted: {agreed.Text}" : $"no TLS with {address}: {agreed.Text}";
        errors.Warn("upstream", $"{endpoint.Name}: {why}");
        endpoint.Shook(why);
        return (agreed.Trouble switch { TlsTrouble.Certificate => FaultCause.Untrusted, TlsTrouble.Timeout => FaultCause.ConnectTimeout, _ => FaultCause.TlsFailed }, why);
    }

    private FaultCause Say(Endpoint endpoint, NetworkAddress address, int error)
    {
        errors.Warn("upstream", $"{endpoint.Name}: cannot connect to {address}: {Explain(error)}");
        return CauseOf(error);
    }

    private static string Explain(int error) => error switch
    {
        Errno.AddressNotAvailable => "no local port is left for this address",
        Errno.Again => "its backlog is full",
        _ => Errno.Describe(error),
    };

    private static FaultCause CauseOf(int error) => error switch
    {
        Errno.TooManyFiles or Errno.TableFull or Errno.NoMemory or Errno.NoBuffers or Errno.AddressNotAvailable => FaultCause.Exhausted,
        Errno.TimedOut => FaultCause.ConnectTimeout,
        _ => FaultCause.Refused,
    };
}
