// Active health checks: who is checked, and on which loop. The keeper, on the first loop, looks once a second (and when it
// is told to) at the endpoints of the plan in force: one that came is given to a loop, round the loops; one that left, or
// that nobody wants checked any more, has its flow ended. An endpoint has one flow at a time, on one loop for good.

using System.Collections.Concurrent;
using Weir.Engine;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;

namespace Weir.Control.Health;

/// <summary>The checks of all endpoints. Any thread.</summary>
public sealed class HealthChecks
{
    /// <summary>Checks one loop has under way at once.</summary>
    public const int MostUnderWay = 64;

    private const int LookEvery = 1_000;

    private readonly ProxyEngine engine;
    private readonly ErrorLog errors;
    private readonly CheckLoop[] loops;
    private readonly ConcurrentDictionary<Endpoint, EndpointCheck> checks = [];
    private readonly Waiter waiter; // The keeper's.
    private int next;
    private bool isStopped;

    public HealthChecks(ProxyEngine engine, ErrorLog errors)
    {
        (this.engine, this.errors) = (engine, errors);
        loops = [.. engine.Workers.Select(w => new CheckLoop(w))];
        waiter = new Waiter(loops[0].Loop);
    }

    /// <summary>The checks of an endpoint; null: it is not checked.</summary>
    public EndpointCheck? Of(Endpoint endpoint) => checks.GetValueOrDefault(endpoint);

    /// <summary>Checks under way, over all loops.</summary>
    public int UnderWay => loops.Sum(l => l.Turns.UnderWay);

    /// <summary>Begins to check.</summary>
    public void Start() => loops[0].Loop.Post(() => KeepAsync().Detach());

    /// <summary>Endpoints or settings have changed: looks at them at once.</summary>
    public void Look() => loops[0].Loop.Post(LookNow);

    /// <summary>Ends all checks; connections under way close. Before the engine stops.</summary>
    public void Stop()
    {
        loops[0].Loop.Post(() =>
        {
            isStopped = true;
            waiter.Cancel();
        });
        foreach (var on in loops) on.Loop.Post(on.End);
    }

    private async LoopTask KeepAsync()
    {
        while (!isStopped)
        {
            LookNow();
            await waiter.Until(loops[0].Loop.Now + LookEvery);
        }
    }

    private void LookNow()
    {
        if (isStopped || engine.Plan is not { } plan) return;
        var wanted = new HashSet<Endpoint>();
        foreach (var upstream in plan.Upstreams)
        {
            foreach (var endpoint in upstream.Endpoints)
            {
                if (endpoint.Settings.Active is not null && wanted.Add(endpoint)) Want(upstream, endpoint);
            }
        }

        foreach (var (endpoint, check) in checks)
        {
            if (wanted.Contains(endpoint)) continue;
            if (check.IsOver) checks.TryRemove(endpoint, out _);
            else check.On.Loop.Post(check.End);
        }
    }

    // One that left and came back is begun anew only when its flow has ended.
    private void Want(Upstream upstream, Endpoint endpoint)
    {
        if (!checks.TryGetValue(endpoint, out var check)) checks[endpoint] = check = new EndpointCheck(upstream.Name, endpoint, loops[next++ % loops.Length], errors);
        if (!check.IsOver) return;
        check.Begin();
        check.On.Loop.Post(() => check.On.Run(check));
    }
}

/// <summary>What checks need of one loop.</summary>
internal sealed class CheckLoop(Worker worker)
{
    private readonly HashSet<EndpointCheck> running = [];

    public Loop Loop => worker.Loop;

    public Probe Probe { get; } = new(worker);

    public CheckTurns Turns { get; } = new(HealthChecks.MostUnderWay);

    /// <summary>Whether everything ends.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Begins the checks of an endpoint. On the loop.</summary>
    public void Run(EndpointCheck check)
    {
        if (IsStopped) return;
        running.Add(check);
        check.RunAsync().Detach();
    }

    /// <summary>The checks of an endpoint have ended. On the loop.</summary>
    public void Ended(EndpointCheck check) => running.Remove(check);

    /// <summary>Ends all checks, for good. On the loop.</summary>
    public void End()
    {
        IsStopped = true;
        foreach (var check in running.ToArray()) check.End();
    }
}
