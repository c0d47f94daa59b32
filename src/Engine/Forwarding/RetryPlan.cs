// When a request goes to another endpoint, compiled.

using Weir.Engine.Disk;
using Weir.Engine.Exchanges;

namespace Weir.Engine.Forwarding;

/// <summary>What may make a request go to another endpoint.</summary>
[Flags]
public enum RetryOn
{
    None = 0,

    /// <summary>No connection could be made: nothing was sent, so any method.</summary>
    Connect = 1,

    /// <summary>The connection ended or broke before a response's head was whole.</summary>
    Reset = 2,

    /// <summary>No response in its time.</summary>
    Timeout = 4,

    /// <summary>What came is no HTTP.</summary>
    Malformed = 8,
}

/// <summary>
/// Attempts after the first, each on another endpoint. But where nothing was sent, only requests that are idempotent and whose
/// body can be sent again are attempted again (RFC 9110 §9.2.2). Immutable.
/// </summary>
public sealed record RetryPlan
{
    /// <summary>Attempts after the first; at most <see cref="Tried.Most"/> - 1.</summary>
    public int Attempts { get; init; } = 2;

    public RetryOn On { get; init; } = RetryOn.Connect | RetryOn.Reset | RetryOn.Timeout;

    /// <summary>Statuses after which another endpoint is asked.</summary>
    public StatusSet Statuses { get; init; } = StatusSet.Unavailable;

    /// <summary>From the request sent to the head of its response, in each attempt, in ms.</summary>
    public long PerTry { get; init; } = Timeouts.None;

    /// <summary>Retries in a hundred requests, beside a few a second; those after which nothing was sent are not counted.</summary>
    public int BudgetPercent { get; init; } = 20;

    /// <summary>How long the second retry waits at most, in ms; each further one twice as long. The first goes at once.</summary>
    public long BackOff { get; init; } = 25;

    /// <summary>The longest of these waits, in ms.</summary>
    public long MostBackOff { get; init; } = 250;

    /// <summary>
    /// How often in a row an answer that breaks is gone on with from where it broke, where its validator is strong; 0: never.
    /// </summary>
    public int Resume { get; init; } = 3;

    /// <summary>Bytes of a request's body kept in memory so that it can be sent again; 0: none.</summary>
    public long Buffer { get; init; } = 64 << 10;

    /// <summary>Further bytes of it kept on disk.</summary>
    public long BufferDisk { get; init; } = 1 << 20;

    /// <summary>Where to; null: nothing is kept on disk.</summary>
    public SpillFolder? Folder { get; init; }
}
