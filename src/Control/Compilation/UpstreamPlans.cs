// From what is written about an upstream to what the engine goes by.

using System.Globalization;
using Weir.Control.Configuration;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Tls;
using Weir.Engine.Upstreams;

namespace Weir.Control.Compilation;

internal static class UpstreamPlans
{
    /// <summary>What is set for the upstream and all its endpoints.</summary>
    public static UpstreamSettings Settings(UpstreamConfig from)
    {
        var standard = new UpstreamSettings();
        return standard with
        {
            IdleConnections = (int)(from.IdleConnections ?? standard.IdleConnections),
            KeepAlive = from.Timeouts.KeepAlive ?? standard.KeepAlive,
            ConnectionAge = from.ConnectionAge ?? standard.ConnectionAge,
            SlowStart = from.SlowStart is { } start && start != Timeouts.None ? start : 0,
            Panic = (int)(from.Health.Panic ?? 0),
            Active = ActiveChecks.Of(from),
            Passive = Passive(from.Health.Passive),
            Breaker = Breaker(from.CircuitBreaker),
            Bounds = Bounds(from.Limits),
            HedgePercentile = from.Hedge?.After.Percentile ?? 0,
            IsSticky = from.Sticky is not null,
        };
    }

    /// <summary>When a request goes to another endpoint.</summary>
    public static RetryPlan Retry(RetryConfig from, SpillFolder? folder)
    {
        var standard = new RetryPlan();
        return standard with
        {
            Attempts = (int)(from.Attempts ?? standard.Attempts),
            PerTry = from.PerTry ?? standard.PerTry,
            On = from.On is null ? standard.On : Conditions(from.On),
            Statuses = from.On is null ? standard.Statuses : Statuses(from.On),
            BudgetPercent = (int)(from.Budget ?? standard.BudgetPercent),
            BackOff = from.BackOff ?? standard.BackOff,
            MostBackOff = from.MostBackOff ?? standard.MostBackOff,
            Buffer = from.Buffer ?? standard.Buffer,
            BufferDisk = from.BufferDisk ?? standard.BufferDisk,
            Resume = (int)(from.Resume ?? standard.Resume),
            Folder = folder,
        };
    }

    /// <summary>How endpoints are spoken to that speak TLS.</summary>
    public static OriginTlsSettings Tls(OriginTlsConfig? from) => from is null ? new OriginTlsSettings() : new OriginTlsSettings
    {
        Authorities = from.Authorities,
        ServerName = from.ServerName,
        Verifies = from.Verifies,
        Certificate = from.Certificate is { } own ? new CertificateFiles(own, from.Key ?? own) : null,
        OnlyTls13 = from.OnlyTls13,
    };

    /// <summary>When a second endpoint is asked beside the first.</summary>
    public static HedgePlan? Hedge(HedgeConfig? from) => from is null ? null : new HedgePlan(from.After.Time, from.After.Percentile, (int)(from.Most ?? 10));

    private static PassiveHealth? Passive(PassiveConfig from)
    {
        if (from.Off) return null;
        var standard = new PassiveHealth();
        return standard with
        {
            Failures = (int)(from.Failures ?? standard.Failures),
            Within = from.Within ?? standard.Within,
            ErrorPercent = (int)(from.Errors ?? standard.ErrorPercent),
            AtLeast = (int)(from.AtLeast ?? standard.AtLeast),
            LatencyFactor = (int)(from.Latency ?? standard.LatencyFactor),
            Statuses = from.Statuses is null ? standard.Statuses : new StatusSet(from.Statuses.Select(static s => (s.First, s.Last))),
            EjectFor = from.EjectFor ?? standard.EjectFor,
            MostEjectFor = Math.Max(from.EjectFor ?? 0, from.MostEjectFor ?? standard.MostEjectFor),
            MostEjected = (int)(from.MostEjected ?? standard.MostEjected),
        };
    }

    private static BreakerSettings? Breaker(BreakerConfig? from) => from is null ? null : new BreakerSettings(
        (int)(from.Errors ?? 50), from.Within ?? 10_000, (int)(from.AtLeast ?? 20), from.OpenFor ?? 10_000, from.Scope is "upstream" or "both", from.Scope is "endpoint" or "both");

    private static Bounds? Bounds(UpstreamLimitsConfig? from)
    {
        if (from is not { HasLimit: true }) return null;
        var standard = new Bounds();
        return new Bounds
        {
            Connections = (int)(from.Connections ?? 0),
            Requests = (int)(from.Requests ?? 0),
            EndpointConnections = (int)(from.EndpointConnections ?? 0),
            EndpointRequests = (int)(from.EndpointRequests ?? 0),
            Queue = (int)(from.Queue ?? standard.Queue),
            QueueTimeout = from.QueueTimeout ?? standard.QueueTimeout,
        };
    }

    private static RetryOn Conditions(List<string> words) => words.Aggregate(RetryOn.None, static (on, word) => on | word switch
    {
        "connect" => RetryOn.Connect,
        "reset" => RetryOn.Reset,
        "timeout" => RetryOn.Timeout,
        "malformed" => RetryOn.Malformed,
        _ => RetryOn.None,
    });

    private static StatusSet Statuses(List<string> words) => new(words.Where(static w => char.IsAsciiDigit(w[0])).Select(static w =>
    {
        var ends = w.Split('-');
        return (int.Parse(ends[0], CultureInfo.InvariantCulture), int.Parse(ends[^1], CultureInfo.InvariantCulture));
    }));
}
