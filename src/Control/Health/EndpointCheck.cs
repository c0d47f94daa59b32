// One endpoint's checks: one flow on one loop, check after check, and what came of them. Only this marks an endpoint
// unhealthy, and it clears that when it ends; the upstream tells of it. What stands here is read from any thread.

using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;

namespace Weir.Control.Health;

/// <summary>What the last check brought.</summary>
/// <param name="Result">How it ended.</param>
/// <param name="At">When it ended.</param>
/// <param name="Took">How long it took, in µs.</param>
/// <param name="InARow">So many in a row ended well, or so many ill.</param>
/// <param name="IsHealthy">The verdict since.</param>
public sealed record CheckReport(CheckResult Result, DateTime At, long Took, int InARow, bool IsHealthy);

/// <summary>The checks of one endpoint.</summary>
public sealed class EndpointCheck
{
    private readonly string upstream;
    private readonly Endpoint endpoint;
    private readonly CheckLoop on;
    private readonly ErrorLog errors;
    private readonly Waiter waiter;
    private readonly CheckTurns.Place place = new();
    private readonly long[] counts = new long[CheckResult.Names.Length];
    private CheckReport? last;
    private RiseAndFall memory;
    private bool isEnding;
    private volatile bool isOver = true;

    internal EndpointCheck(string upstream, Endpoint endpoint, CheckLoop on, ErrorLog errors)
    {
        (this.upstream, this.endpoint, this.on, this.errors) = (upstream, endpoint, on, errors);
        waiter = new Waiter(on.Loop);
    }

    /// <summary>The last check; null: there has been none.</summary>
    public CheckReport? Last => Volatile.Read(ref last);

    /// <summary>Checks that ended so, since the endpoint is checked.</summary>
    public long Count(CheckOutcome outcome) => Volatile.Read(ref counts[(int)outcome]);

    internal CheckLoop On => on;

    /// <summary>Whether no flow runs, nor will one without <see cref="Begin"/>.</summary>
    internal bool IsOver => isOver;

    /// <summary>A flow is about to begin: by the keeper, only where none runs.</summary>
    internal void Begin() => isOver = false;

    /// <summary>Ends the flow, the check under way included. On its loop.</summary>
    internal void End()
    {
        isEnding = true;
        waiter.Cancel();
    }

    /// <summary>Checks until it is ended or nobody wants checks any more. On its loop.</summary>
    internal async LoopTask RunAsync()
    {
        (memory, isEnding) = (default, false);
        try
        {
            var isFirst = true;
            while (!isEnding && endpoint.Settings.Active is { } check && await on.Turns.TakeAsync(place, waiter))
            {
                if (isEnding) break;
                var (began, from) = (on.Loop.Now, on.Loop.Microseconds());
                var result = await on.Probe.CheckAsync(endpoint, check, waiter);
                on.Turns.Give(place);
                if (isEnding) break;
                Take(result, check, on.Loop.Microseconds() - from);
                // The first check comes at once; those after it are spread, so that endpoints that came together are not asked together.
                var pause = isFirst ? (long)(check.Interval * on.Loop.Random.NextDouble()) : check.Period(on.Loop.Random);
                isFirst = false;
                await waiter.Until(began + pause);
            }
        }
        finally
        {
            on.Turns.Give(place);
            waiter.Release();
            on.Ended(this);
            if (!on.IsStopped && endpoint.Absence.Clear(Away.Unhealthy) && endpoint.Settings.Active is null) errors.Info("health", $"{upstream}: {endpoint.Name} is not checked any more, and taken as healthy");
            isOver = true;
        }
    }

    private void Take(CheckResult result, ActiveCheck check, long took)
    {
        Interlocked.Increment(ref counts[(int)result.Outcome]);
        var turn = result.IsVerdict ? memory.Take(result.Passed, check.Rise, check.Fall) : Turn.None;
        Volatile.Write(ref last, new CheckReport(result, on.Loop.UtcNow, took, memory.InARow, memory.IsHealthy));
        if (result is { IsVerdict: true, Passed: true }) ClearSuspicions(check);
        if (turn == Turn.Rise) endpoint.Absence.Clear(Away.Unhealthy);
        if (turn == Turn.Fall) endpoint.Absence.Mark(Away.Unhealthy, memory.InARow == 1 ? $"a check failed: {result.Reason}" : $"{memory.InARow} checks in a row failed, the last: {result.Reason}");
    }

    // Checks have the last word over what only its answers said: it is asked again as soon as they pass.
    private void ClearSuspicions(ActiveCheck check)
    {
        endpoint.Absence.Clear(Away.Unreachable);
        if (!check.IsTcp && memory.InARow >= check.Rise) endpoint.Absence.Clear(Away.Ejected);
    }
}
