// Names a loop that has not turned for a second although it does not wait: stuck in a computation, or not scheduled.

using Weir.Engine;
using Weir.Engine.Observe;

namespace Weir.Control;

/// <summary>Watches the loops, on a thread of its own.</summary>
public sealed class Watchdog : IDisposable
{
    private const int Every = 250;
    private const int StuckAfter = 1_000;

    private readonly Timer timer;

    public Watchdog(ProxyEngine engine, ErrorLog errors)
    {
        var seen = new (long Turns, long Since, bool Told)[engine.Workers.Count];
        timer = new Timer(
            _ =>
            {
                for (var i = 0; i < seen.Length; i++)
                {
                    var loop = engine.Workers[i].Loop;
                    var now = Environment.TickCount64;
                    if (loop.IsWaiting || loop.Turns != seen[i].Turns) seen[i] = (loop.Turns, now, false);
                    else if (!seen[i].Told && now - seen[i].Since > StuckAfter)
                    {
                        errors.Error("loop", $"loop {i} has not turned for {now - seen[i].Since} ms");
                        seen[i].Told = true;
                    }
                }
            },
            null, Every, Every);
    }

    public void Dispose() => timer.Dispose();
}
