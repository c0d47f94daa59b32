// The thread that writes all logs. It looks at the rings by itself, ten times a second when there is little to do and a hundred
// times when there is much, so that a record costs its loop no system call.

using System.Collections.Concurrent;

namespace Weir.Engine.Observe;

/// <summary>Writes access logs and the error log, on a thread of its own.</summary>
public sealed class LogWriter : IDisposable
{
    private const int LongestSleep = 100;

    // A loop's ring holds several times what it can write in this time.
    private const int ShortestSleep = 10;

    private readonly Thread thread;
    private readonly AutoResetEvent wake = new(false);
    private readonly ConcurrentQueue<FormerLog> leaving = new();
    private readonly List<FormerLog> former = []; // The thread's own.
    private volatile AccessLog[] logs = [];
    private volatile bool reopen;
    private volatile bool stopping;

    public LogWriter(ErrorLog errors)
    {
        Errors = errors;
        thread = new Thread(Run) { IsBackground = true, Name = "weir-log" };
        thread.Start();
    }

    public ErrorLog Errors { get; }

    /// <summary>The logs of the plan in force. Swapped whole.</summary>
    public IReadOnlyList<AccessLog> Logs => logs;

    /// <summary>Takes the logs of a new plan. Those that are gone are emptied as long as an exchange may still write to them.</summary>
    public void Use(AccessLog[] now)
    {
        foreach (var gone in logs.Except(now)) leaving.Enqueue(new FormerLog(new WeakReference<AccessLog>(gone), gone.Records));
        logs = now;
    }

    /// <summary>Opens all files anew, as after a rotation.</summary>
    public void Reopen()
    {
        reopen = true;
        wake.Set();
    }

    /// <summary>Writes what is there and ends.</summary>
    public void Dispose()
    {
        stopping = true;
        wake.Set();
        thread.Join(2_000);
    }

    private void Run()
    {
        var sleep = ShortestSleep;
        while (true)
        {
            var last = stopping;
            var count = 0;
            try
            {
                count = WriteAll(last);
            }
#pragma warning disable CA1031 // A mistake of ours must not end the program, nor silence its logs.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                Errors.Error("log", $"a mistake of ours: {bug}");
            }

            if (last) return;
            sleep = count > 0 ? ShortestSleep : Math.Min(LongestSleep, sleep * 2);
            wake.WaitOne(sleep);
        }
    }

    private int WriteAll(bool last)
    {
        if (reopen)
        {
            reopen = false;
            foreach (var log in logs) log.Target.Reopen();
            Errors.Target.Reopen();
        }

        var count = Errors.Drain(last);
        foreach (var log in logs) count += Write(log.Records);
        while (leaving.TryDequeue(out var gone)) former.Add(gone);
        for (var i = former.Count - 1; i >= 0; i--)
        {
            // Asked before it is emptied: whoever held it can have written nothing since.
            var isHeld = former[i].Owner.TryGetTarget(out _);
            count += Write(former[i].Records);
            former[i].Records.Target.Reopen(); // No file is kept open for it.
            if (!isHeld) former.RemoveAt(i);
        }

        return count;
    }

    private int Write(LogRecords records)
    {
        var taken = records.Drain();
        if (taken > 0 && records.Target.Trouble is { } trouble) Errors.Warn("access log", $"cannot write to {records.Name}: {trouble}");
        return taken;
    }

    private sealed record FormerLog(WeakReference<AccessLog> Owner, LogRecords Records);
}
