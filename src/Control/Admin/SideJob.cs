// What would hold the admin loop up, on a thread of its own: a reload, a name that is resolved.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Control.Admin;

internal sealed class SideJob : Posted
{
    private readonly Signal done = new();

    private SideJob()
    {
    }

    /// <summary>Does work that throws nothing, and waits for it.</summary>
    public static async LoopTask RunAsync(Exchange exchange, string name, Action work)
    {
        var job = new SideJob();
        var loop = exchange.Loop;
        new Thread(() =>
        {
            work();
            loop.Post(job);
        })
        { IsBackground = true, Name = name }.Start();
        await exchange.Flow.FirstOf(job.done, long.MaxValue);
    }

    public override void Run() => done.Raise();
}
