// One check of one endpoint, on a loop. It has a connection of its own, closed when the answer is known: a kept one may
// lead to a process that has stopped listening, and says nothing about what a new client would meet. It counts neither as
// traffic nor as load, and takes no turn of those that clients wait for. Its buffers are given back on every way out.

using Weir.Control.Explaining;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;

namespace Weir.Control.Health;

/// <summary>Checks endpoints on one loop.</summary>
internal sealed class Probe(Worker worker)
{
    private static readonly CheckResult Stopped = new(CheckOutcome.None, "stopped");

    /// <summary>Checks an endpoint; each of its addresses is tried in order, where no connection can be made to the one before.</summary>
    public async LoopTask<CheckResult> CheckAsync(Endpoint endpoint, ActiveCheck check, Waiter waiter)
    {
        var result = new CheckResult(CheckOutcome.Refused, "it has no address");
        foreach (var own in endpoint.Addresses)
        {
            var address = check.Port != 0 && own.Ip is { } ip ? NetworkAddress.FromIp(ip, check.Port) : own;
            var deadline = Timeouts.After(worker.Loop.Now, check.Timeout);
            var transport = worker.Network.Connect(address, out var error);
            if (transport is null)
            {
                result = NotConnected(address, error);
                continue;
            }

            var wake = await waiter.FirstOf(transport.Writable, deadline);
            error = wake == Wake.First ? transport.ConnectError() : Errno.TimedOut;
            if (error == 0 && endpoint.Tls is { } tls && !check.IsTcp)
            {
                // No session is gone on with: the certificate is part of what is asked.
                var agreed = await ClientHandshake.RunAsync(tls.ConnectAnew(transport), transport, waiter, null, deadline);
                if (agreed.Transport is not null) return await AskAsync(agreed.Transport, endpoint, check, waiter, deadline);
                if (agreed.Wake == Wake.Cancelled) return Stopped;
                result = NotAgreed(address, agreed, check);
                continue;
            }

            if (error == 0) return await AskAsync(transport, endpoint, check, waiter, deadline);
            transport.Close(reset: wake != Wake.First);
            if (wake == Wake.Cancelled) return Stopped;
            result = wake == Wake.First ? NotConnected(address, error) : new CheckResult(CheckOutcome.Timeout, $"no connection to {address} in {Words.Duration(check.Timeout)}");
        }

        return result;
    }

    private async LoopTask<CheckResult> AskAsync(Transport transport, Endpoint endpoint, ActiveCheck check, Waiter waiter, long deadline)
    {
        if (check.IsTcp)
        {
            transport.Close();
            return new CheckResult(CheckOutcome.Passed, "connected");
        }

        var connection = new ClientConnection(transport, worker.Buffers, new Nobody());
        try
        {
            connection.BeginExchange(reused: false);
            var request = CheckRequest.Make(check, endpoint.Authority);
            var response = new Response();
            var wake = await SendAsync(connection, request, waiter, deadline);
            var status = HeadStatus.Exhausted;
            while (wake == Wake.First && ((status = connection.TryReceiveHead(request, response)) == HeadStatus.Wait || (status == HeadStatus.Done && response.IsInterim)))
            {
                if (status == HeadStatus.Wait) wake = await waiter.FirstOf(connection.Readable, deadline);
            }

            if (wake != Wake.First) return Late(check, wake);
            if (status != HeadStatus.Done) return NoAnswer(check, status);
            if (!check.Expects(response.Status)) return new CheckResult(CheckOutcome.Status, $"{check.Question} answered {response.Status}");
            if (check.Body is null) return new CheckResult(CheckOutcome.Passed, $"{check.Question} answered {response.Status}");
            return await ReadAsync(connection.ResponseBody, check, response.Status, waiter, deadline);
        }
        finally
        {
            connection.Close();
        }
    }

    // A broken write is no verdict yet: an early answer may be there to be read.
    private static async LoopTask<Wake> SendAsync(ClientConnection connection, Request request, Waiter waiter, long deadline)
    {
        if (connection.StartRequest(request) != FaultCause.None) return Wake.Second;
        while (connection.RequestBody.TryFinish(null) == SinkStatus.Wait)
        {
            var wake = await waiter.FirstOf(connection.RequestBody.Ready, deadline);
            if (wake != Wake.First) return wake;
        }

        return Wake.First;
    }

    private static async LoopTask<CheckResult> ReadAsync(BodySource body, ActiveCheck check, int answered, Waiter waiter, long deadline)
    {
        var search = new BodySearch(check.Body!, ActiveCheck.MostBody);
        while (true)
        {
            var status = Step(body, search);
            if (search.IsFound) return new CheckResult(CheckOutcome.Passed, $"{check.Question} answered {answered} with the text it must contain");
            if (search.IsOver || status == BodyStatus.End) return new CheckResult(CheckOutcome.Body, $"{check.Question} answered {answered} without the text it must contain{(search.IsOver ? $" in its first {Words.Size(ActiveCheck.MostBody)}" : "")}");
            if (status == BodyStatus.Broken) return body.Failure == FaultCause.Exhausted ? OutOfBuffers(check) : new CheckResult(CheckOutcome.Broken, $"{check.Question} answered {answered}, and its body broke off");
            if (status != BodyStatus.Wait) continue;
            var wake = await waiter.FirstOf(body.Ready, deadline);
            if (wake != Wake.First) return Late(check, wake);
        }
    }

    private static BodyStatus Step(BodySource body, BodySearch search)
    {
        var status = body.TryRead(out var piece);
        if (status != BodyStatus.Piece) return status;
        search.Feed(piece);
        body.Advance(piece.Length);
        return status;
    }

    private static CheckResult Late(ActiveCheck check, Wake wake) => wake switch
    {
        Wake.Cancelled => Stopped,
        Wake.Deadline => new CheckResult(CheckOutcome.Timeout, $"{check.Question} was not answered in {Words.Duration(check.Timeout)}"),
        _ => OutOfBuffers(check),
    };

    private static CheckResult NoAnswer(ActiveCheck check, HeadStatus status) => status switch
    {
        HeadStatus.Malformed => new CheckResult(CheckOutcome.Broken, $"{check.Question}: what it sent is no HTTP"),
        HeadStatus.Exhausted => OutOfBuffers(check),
        _ => new CheckResult(CheckOutcome.Broken, $"{check.Question}: it ended or broke the connection {(status == HeadStatus.ClosedBefore ? "without an answer" : "within its answer")}"),
    };

    private static CheckResult OutOfBuffers(ActiveCheck check) => new(CheckOutcome.None, $"{check.Question}: no buffer could be had");

    private static CheckResult NotAgreed(NetworkAddress address, Agreed agreed, ActiveCheck check) => agreed.Trouble switch
    {
        TlsTrouble.Certificate => new(CheckOutcome.Refused, $"certificate of {address} is not accepted: {agreed.Text}"),
        TlsTrouble.Timeout => new(CheckOutcome.Timeout, $"no TLS with {address} in {Words.Duration(check.Timeout)}"),
        _ => new(CheckOutcome.Refused, $"no TLS with {address}: {agreed.Text}"),
    };

    private static CheckResult NotConnected(NetworkAddress address, int error) =>
        new(IsOurs(error) ? CheckOutcome.None : CheckOutcome.Refused, $"cannot connect to {address}: {(error == Errno.AddressNotAvailable ? "no local port is left for this address" : Errno.Describe(error))}");

    private static bool IsOurs(int error) => error is Errno.TooManyFiles or Errno.TableFull or Errno.NoMemory or Errno.NoBuffers or Errno.AddressNotAvailable;

    // The connection belongs to nobody else, and what its peer speaks is nobody's to remember.
    private sealed class Nobody : ISlotOwner
    {
        public bool PeerIsHttp10 { get; set; }

        public void ExchangeEnded(OriginStream slot, bool reusable, Loop loop)
        {
        }

        public void ConnectionClosed()
        {
        }
    }
}
