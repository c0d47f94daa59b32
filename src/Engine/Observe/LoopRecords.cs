// What one loop writes down when an exchange has ended: counters of the site, the upstream and the endpoint, and the access
// record. No thread but the loop's writes here.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Observe;

/// <summary>What has counters: an upstream, an endpoint.</summary>
public interface ICounted
{
    Traffic Traffic { get; }
}

/// <summary>A site's live counters.</summary>
public sealed class SiteRecord(string name, int loops) : ICounted
{
    public Traffic Traffic { get; } = new(name, loops);
}

/// <summary>The records of one loop.</summary>
/// <param name="loop">The loop's index.</param>
/// <param name="unsited">Counts exchanges that reached no site: what was refused before one was found.</param>
public sealed class LoopRecords(int loop, Traffic unsited)
{
    private int active;
    private long ended;

    /// <summary>Exchanges under way on this loop. Any thread.</summary>
    public int Active => Volatile.Read(ref active);

    /// <summary>Exchanges ended on this loop. Any thread.</summary>
    public long Ended => Volatile.Read(ref ended);

    /// <summary>Durations of turns of the loop: how long anything may have had to wait.</summary>
    public Histogram Turns { get; } = new();

    public void Begin() => active++;

    public void End(Exchange exchange, AccessLog? log)
    {
        active--;
        ended++;
        var status = exchange.Client.HasStarted ? exchange.Response.Status : 0;
        var duration = exchange.Moments.Ended - exchange.Moments.Begun;
        var faulty = !exchange.Fault.IsNone;
        Count(exchange.Place.Site is null ? unsited : (exchange.Place.SiteState as ICounted)?.Traffic, exchange, status, duration, faulty);
        CountOrigin(exchange, status, duration, faulty);
        log?.Write(exchange);
    }

    /// <summary>A copy of a request has ended, which is no site's and has no record.</summary>
    public void EndMirrored(Exchange exchange) =>
        CountOrigin(exchange, exchange.Client.HasStarted ? exchange.Response.Status : 0, exchange.Moments.Ended - exchange.Moments.Begun, !exchange.Fault.IsNone);

    private void CountOrigin(Exchange exchange, int status, long duration, bool faulty)
    {
        Count((exchange.Place.UpstreamState as ICounted)?.Traffic, exchange, status, duration, faulty);
        Count((exchange.Place.EndpointState as ICounted)?.Traffic, exchange, status, duration, faulty);
    }

    private void Count(Traffic? traffic, Exchange exchange, int status, long duration, bool faulty) =>
        traffic?.Of(loop).Count(status, duration, exchange.BytesIn, exchange.BytesOut, exchange.Retries, faulty);
}
