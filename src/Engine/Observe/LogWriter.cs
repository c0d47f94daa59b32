// The thread that writes all logs. It looks at the rings by itself, ten times a second when there is little to do and a hundred
// times when there is much, so that a record costs its loop no system call.

namespace Weir.Engine.Observe;

/// <summary>Writes access logs and the error log, on a thread of its own.</summary>
public sealed class LogWriter : IDisposable
{
    private const int LongestSleep = 100;

    // A loop's ring holds several times what it can write in this time.
    private const int ShortestSleep = 10;

    private const int MostLogs = 256;

    private readonly Thread thread;
    private readonly AutoResetEvent wake = new(false);
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

    /// <summary>The logs in use. Swapped whole; those that are gone are emptied first.</summary>
    public IReadOnlyList<AccessLog> Logs => logs;

    /// <summary>Takes the logs of a new plan.</summary>
    public void Use(AccessLog[] now)
    {
        // Old logs stay until a later plan: their last records may still be on the way.
        logs = [.. now.Union(logs).Take(MostLogs)];
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
            if (reopen)
            {
                reopen = false;
                foreach (var log in logs) log.Target.Reopen();
                Errors.Target.Reopen();
            }

            var count = Errors.Drain(last);
            foreach (var log in logs)
            {
                var taken = log.Drain();
                count += taken;
                if (taken > 0 && log.Target.Trouble is { } trouble) Errors.Warn("access log", $"cannot write to {log.Name}: {trouble}");
            }

            if (last) return;
            sleep = count > 0 ? ShortestSleep : Math.Min(LongestSleep, sleep * 2);
            wake.WaitOne(sleep);
        }
    }
}
