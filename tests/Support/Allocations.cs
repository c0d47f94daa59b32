// What code allocates once it runs as it will: the runtime puts better code in the place of what it began with, whenever it has
// got it ready, and may allocate on the thread that meets it first. So a few stretches are measured, and the least is what the
// code itself needs: what it allocates each time it allocates in all of them.

namespace Weir.Tests.Support;

public static class Allocations
{
    private const int Stretches = 5;

    /// <summary>Bytes that as many rounds allocate on this thread.</summary>
    public static long Of(int rounds, Action round)
    {
        for (var i = 0; i < 100; i++) round();
        var least = long.MaxValue;
        for (var stretch = 0; stretch < Stretches && least > 0; stretch++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < rounds; i++) round();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
