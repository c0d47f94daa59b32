// A request made of a head, and what is kept of it once it has ended: a count in a histogram, a record of the access log.

using System.Net;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Wire.Http1;

namespace Weir.Bench.Micro;

internal static class RecordGates
{
    public static IEnumerable<Gate> All()
    {
        var (histogram, duration) = (new Histogram(), 0);
        return
        [
            new Gate("request filled from a browser's head, and ended", 0, Fill()),
            new Gate("histogram, one count", 0, () =>
            {
                histogram.Record(duration);
                return duration = (duration + 7) & 0xFFFF;
            }),
            new Gate("access record, JSON", 0, Write(LogFormat.Json)),
            new Gate("access record, combined", 0, Write(LogFormat.TryCompile(LogFormat.Combined, out _)!)),
        ];
    }

    private static Func<int> Fill()
    {
        var (head, exchange, client) = (new RequestHead(), Worlds.Exchange(), new Answered());
        return () =>
        {
            var fields = Fill(exchange, head, client);
            exchange.End();
            return fields;
        };
    }

    private static Func<int> Write(LogFormat format)
    {
        var (exchange, ring, records) = (Worlds.Exchange(), new LogRing(), 0);
        Fill(exchange, new RequestHead(), new Answered());
        exchange.Response.Status = 200;
        exchange.ClientAddress = IPAddress.Loopback;
        exchange.Place = new Place { Site = "www.example.com", Route = "weir.yaml:12", Upstream = "app", Endpoint = "http://127.0.0.1:9000" };
        Action<ReadOnlyMemory<byte>> reader = static _ => { };
        return () =>
        {
            format.Write(exchange, ring);
            if ((++records & 15) == 0) ring.Drain(reader);
            return ring.Dropped == 0 ? records : throw new InvalidOperationException("a record was dropped");
        };
    }

    private static int Fill(Exchange exchange, RequestHead head, ClientStream client)
    {
        head.Clear();
        if (RequestParser.Parse(WireGates.BrowserRequest, HeadLimits.Default, head, out _) != ParseStatus.Done) throw new InvalidOperationException("a good head is refused");
        exchange.Begin(client, exchange.Loop.Microseconds());
        RequestFill.From(exchange, head, WireGates.BrowserRequest, 0);
        return head.Fields.Count;
    }

    /// <summary>A client whose response is through: nothing but that is asked of it.</summary>
    private sealed class Answered : ClientStream
    {
        public override BodySource RequestBody => throw new InvalidOperationException();

        public override BodySink ResponseBody => throw new InvalidOperationException();

        public override Signal Gone { get; } = new();

        public override bool IsBroken => false;

        public override bool HasStarted => true;

        public override FaultCause SendInterim(Response response) => throw new InvalidOperationException();

        public override FaultCause StartResponse(Response response, Request request) => throw new InvalidOperationException();

        public override void BecomeTunnel() => throw new InvalidOperationException();

        public override void EndAfterThis()
        {
        }

        public override void Abort()
        {
        }
    }
}
