// What every exchange does on its loop: waiting for the first of several in methods that suspend, giving up its turn,
// deadlines, buffers. The loop stands over a poller that never has an event.

using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Bench.Micro;

internal static class LoopGates
{
    public static IEnumerable<Gate> All()
    {
        var pool = new BufferPool(new MemoryBudget(1 << 24));
        return
        [
            new Gate("wait for the first of three, two frames deep", 0, FirstOfThree()),
            new Gate("wait, 1,024 flows woken in turn", 0, ManyFlows(1024)),
            new Gate("give up the turn", 0, Yield()),
            new Gate("deadline moved later, of 1,000", 0, Deadline(1000)),
            new Gate("buffer leased and returned", 0, () =>
            {
                pool.Return(pool.TryLease(16384)!);
                return pool.Leased == 0 ? 1 : throw new InvalidOperationException("a buffer stayed out");
            }),
        ];
    }

    private static Func<int> FirstOfThree()
    {
        var loop = Worlds.Loop().Loop;
        var (waiter, a, b, c) = (new Waiter(loop), new Signal(), new Signal(), new Signal());
        var woken = 0;
        ForeverAsync().Detach();
        return () =>
        {
            var before = woken;
            b.Raise();
            return woken == before + 1 ? woken : throw new InvalidOperationException("the waiter was not woken once");
        };

        async LoopTask ForeverAsync()
        {
            while (true)
            {
                if (await OnceAsync() == Wake.Second) woken++;
            }
        }

        async LoopTask<Wake> OnceAsync()
        {
            var wake = await waiter.FirstOf(a, b, c, loop.Now + 30_000);
            b.Clear();
            return wake;
        }
    }

    private static Func<int> ManyFlows(int flows)
    {
        var loop = Worlds.Loop().Loop;
        var (signals, next, woken) = (new Signal[flows], 0, 0);
        for (var i = 0; i < flows; i++) ForeverAsync(new Waiter(loop), signals[i] = new Signal()).Detach();
        return () =>
        {
            var before = woken;
            signals[next].Raise();
            next = (next + 1) % flows;
            return woken == before + 1 ? woken : throw new InvalidOperationException("the flow was not woken once");
        };

        async LoopTask ForeverAsync(Waiter waiter, Signal signal)
        {
            while (true)
            {
                await OnceAsync(waiter, signal);
                woken++;
            }
        }

        async LoopTask OnceAsync(Waiter waiter, Signal signal)
        {
            await waiter.FirstOf(signal, loop.Now + 30_000);
            signal.Clear();
        }
    }

    private static Func<int> Yield()
    {
        var loop = Worlds.Loop().Loop;
        var (waiter, turns) = (new Waiter(loop), 0);
        ForeverAsync().Detach();
        return () =>
        {
            var before = turns;
            loop.Turn(mayWait: false);
            return turns > before ? turns : throw new InvalidOperationException("the turn did not come round");
        };

        async LoopTask ForeverAsync()
        {
            while (true)
            {
                await waiter.Yield();
                turns++;
            }
        }
    }

    private static Func<int> Deadline(int count)
    {
        var (poller, loop) = Worlds.Loop();
        var (entries, next) = (new Entry[count], 0);
        for (var i = 0; i < count; i++) entries[i] = new Entry();
        return () =>
        {
            loop.Arm(entries[next], loop.Now + 30_000);
            if (++next == count)
            {
                // Time goes on, so that entries come round in the wheel and move on.
                next = 0;
                poller.Now += 10;
                loop.Turn(mayWait: false);
            }

            return next;
        };
    }

    private sealed class Entry : TimerEntry
    {
        protected override void OnDue() => throw new InvalidOperationException("a deadline came that is always moved");
    }
}
