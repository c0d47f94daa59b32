// Work that may wait for a disk runs on a few threads with a bounded queue, and comes back to its loop by posting. A loop
// never opens or reads a file itself.

using System.Threading.Channels;
using Weir.Engine.Loops;

namespace Weir.Engine.Disk;

/// <summary>A piece of disk work. <see cref="Done"/> is raised on its loop when it is through; without a loop nobody is told.</summary>
public abstract class DiskJob(Loop? loop) : Posted
{
    private bool abandoned;
    private Exception? bug;

    /// <summary>Why the work could not be done; null: it could, as far as is known.</summary>
    public string? Trouble { get; protected set; }

    /// <summary>Set when the work is through; its loop's.</summary>
    public Signal Done { get; } = new();

    /// <summary>Nobody waits any more: what the work brings is let go of. On the loop.</summary>
    public void Abandon() => abandoned = true;

    public sealed override void Run()
    {
        if (abandoned) LetGo();
        else Done.Raise();
        if (bug is not null) throw new InvalidOperationException("disk work failed", bug); // For whoever reports the loop's mistakes.
    }

    internal void Execute()
    {
        try
        {
            Work();
        }
#pragma warning disable CA1031 // A mistake ends neither the thread nor the program, and whoever waits is told.
        catch (Exception mistake)
#pragma warning restore CA1031
        {
            bug = mistake;
            Trouble = mistake.Message;
        }

        loop?.Post(this);
    }

    /// <summary>Runs on a disk thread. Failures are kept as values.</summary>
    protected abstract void Work();

    /// <summary>Gives back what an abandoned piece of work brought.</summary>
    protected abstract void LetGo();
}

/// <summary>The threads.</summary>
public sealed class DiskThreads(int threads = 4, int mostWaiting = 4096)
{
    [ThreadStatic]
    private static byte[]? room;

    private readonly Channel<DiskJob> queue = Channel.CreateBounded<DiskJob>(mostWaiting);
    private int started;

    /// <summary>The process's disk threads; started on first use.</summary>
    public static DiskThreads Shared { get; } = new();

    /// <summary>64 KiB of the calling thread's own, for what is read only to be looked at: so small that it stays in the processor's cache.</summary>
    internal static byte[] Room => room ??= GC.AllocateUninitializedArray<byte>(65536, pinned: true);

    /// <summary>Hands in work; false where too much waits already.</summary>
    public bool TryRun(DiskJob job)
    {
        if (Volatile.Read(ref started) == 0 && Interlocked.Exchange(ref started, 1) == 0)
        {
            for (var i = 0; i < threads; i++) new Thread(Loop) { IsBackground = true, Name = $"weir-disk-{i}" }.Start();
        }

        return queue.Writer.TryWrite(job);
    }

    /// <summary>Does the work that has waited longest, on the calling thread; false: none waits.</summary>
    internal bool TryWork()
    {
        if (!queue.Reader.TryRead(out var job)) return false;
        job.Execute();
        return true;
    }

    private void Loop()
    {
        while (true)
        {
            if (!TryWork()) queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
        }
    }
}
