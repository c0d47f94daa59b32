// Loops and exchanges without a kernel under them: a clock that stands until it is moved, and no events.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Bench.Micro;

internal static class Worlds
{
    public static (StillPoller Poller, Loop Loop) Loop()
    {
        var poller = new StillPoller();
        return (poller, new Loop(poller));
    }

    public static Exchange Exchange() => new(Loop().Loop, new BufferPool(new MemoryBudget(1 << 24)));
}

/// <summary>A poller whose time is set by hand.</summary>
internal sealed class StillPoller : Poller
{
    public long Now { get; set; } = 1_000;

    public override Random Random { get; } = new(); // As the kernel's poller has it; a seeded one is slower.

    public override int Batch => 0;

    public override DateTime UtcNow => DateTime.UnixEpoch.AddMilliseconds(Now);

    public override long Milliseconds() => Now;

    public override long Microseconds() => Now * 1000;

    public override int Wait(int timeout) => 0;

    public override void Dispatch()
    {
    }

    public override void Wake()
    {
    }

    public override void Dispose()
    {
    }
}
