// Settings that a narrower scope may set again: top level → site → route.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Answers;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Rewrite;

namespace Weir.Control.Compilation;

/// <summary>Settings as they hold in one scope.</summary>
internal sealed record Scope(LimitsConfig Limits, TimeoutsConfig Timeouts, List<ErrorPageConfig> ErrorPages, AccessLogConfig? AccessLog)
{
    /// <summary>What browsers are told about https; null: nothing.</summary>
    public StrictTransport? StrictTransport { get; init; }

    /// <summary>What the site says about caching; null: nothing.</summary>
    public CacheConfig? Cache { get; init; }

    /// <summary>Where the site keeps what its URLs bring; null: nowhere.</summary>
    public SiteCaches? Kept { get; init; }

    /// <summary>How responses are compressed; null: not at all.</summary>
    public CompressConfig? Compress { get; init; }

    public Scope Narrow(LimitsConfig limits, TimeoutsConfig timeouts, List<ErrorPageConfig> pages, AccessLogConfig? log) => new(
        new LimitsConfig
        {
            Body = limits.Body ?? Limits.Body,
            MinRate = limits.MinRate ?? Limits.MinRate,
            MinRateGrace = limits.MinRateGrace ?? Limits.MinRateGrace,
        },
        new TimeoutsConfig
        {
            Header = timeouts.Header ?? Timeouts.Header,
            Body = timeouts.Body ?? Timeouts.Body,
            Write = timeouts.Write ?? Timeouts.Write,
            KeepAlive = timeouts.KeepAlive ?? Timeouts.KeepAlive,
            Connect = timeouts.Connect ?? Timeouts.Connect,
            FirstByte = timeouts.FirstByte ?? Timeouts.FirstByte,
            Idle = timeouts.Idle ?? Timeouts.Idle,
            Total = timeouts.Total ?? Timeouts.Total,
            Tunnel = timeouts.Tunnel ?? Timeouts.Tunnel,
        },
        [.. pages, .. ErrorPages],
        Narrow(log))
    {
        StrictTransport = StrictTransport,
        Cache = Cache,
        Kept = Kept,
        Compress = Compress,
    };

    // What a site does not say of its log holds as outside: a format alone keeps the target.
    private AccessLogConfig? Narrow(AccessLogConfig? log) => log is null ? AccessLog : new AccessLogConfig
    {
        At = log.At,
        Off = log.Target is null ? AccessLog?.Off ?? false : log.Off,
        Target = log.Target ?? AccessLog?.Target,
        Format = log.Format ?? AccessLog?.Format,
    };

    public Timeouts Times(Timeouts standard) => standard with
    {
        Header = Timeouts.Header ?? standard.Header,
        Body = Timeouts.Body ?? standard.Body,
        Write = Timeouts.Write ?? standard.Write,
        KeepAlive = Timeouts.KeepAlive ?? standard.KeepAlive,
        Connect = Timeouts.Connect ?? standard.Connect,
        FirstByte = Timeouts.FirstByte ?? standard.FirstByte,
        Idle = Timeouts.Idle ?? standard.Idle,
        Total = Timeouts.Total ?? standard.Total,
        Tunnel = Timeouts.Tunnel ?? standard.Tunnel,
    };

    /// <summary>The pages by status: the narrowest scope's page for a status wins.</summary>
    public ErrorPages Pages(Diagnostics diagnostics)
    {
        if (ErrorPages.Count == 0) return Engine.Answers.ErrorPages.None;
        var pages = new Dictionary<int, ErrorPage>();
        foreach (var written in ErrorPages)
        {
            if (Read(written, diagnostics) is not { } page) continue;
            foreach (var range in written.Status)
            {
                for (var status = range.First; status <= range.Last; status++) pages.TryAdd(status, page);
            }
        }

        return new ErrorPages(pages);
    }

    private static ErrorPage? Read(ErrorPageConfig page, Diagnostics diagnostics)
    {
        var type = page.ContentType ?? (page.File is null ? "text/plain; charset=utf-8" : "text/html; charset=utf-8");
        if (page.Body is not null) return new ErrorPage(Encoding.UTF8.GetBytes(page.Body), Encoding.ASCII.GetBytes(type));
        try
        {
            if (ErrorPageConfig.Trouble(page.File!) is not { } trouble) return new ErrorPage(File.ReadAllBytes(page.File!), Encoding.ASCII.GetBytes(type));
            diagnostics.Error(page.At, trouble);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Error(page.At, $"cannot read '{page.File}': {e.Message}");
        }

        return null;
    }
}
