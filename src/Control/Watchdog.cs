// Names a loop that has not turned for a second although it does not wait: stuck in a computation, or not scheduled.

using Weir.Engine;
using Weir.Engine.Observe;

namespace Weir.Control;

/// <summary>Watches the loops, on a thread of its own.</summary>
public sealed class Watchdog : IDisposable
{
    private const int Every = 250;
    private const int StuckAfter = 1_000;

    private readonly ProxyEngine engine;
    private readonly ErrorLog errors;
    private readonly ManualResetEvent stopping = new(false);
    private readonly Thread thread;

    public Watchdog(ProxyEngine engine, ErrorLog errors)
    {
        this.engine = engine;
        this.errors = errors;
        thread = new Thread(Run) { IsBackground = true, Name = "weir-watchdog" };
        thread.Start();
    }

    /// <summary>Stops watching; afterwards nothing more is said.</summary>
    public void Dispose()
    {
        stopping.Set();
        thread.Join();
        stopping.Dispose();
    }

    private void Run()
    {
        var seen = new (long Turns, long Since, bool Told)[engine.Workers.Count];
        while (!stopping.WaitOne(Every))
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
        }
    }
}
