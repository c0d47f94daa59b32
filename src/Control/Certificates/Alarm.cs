// What waits until a time comes or somebody wakes it, whichever is first.

namespace Weir.Control.Certificates;

/// <summary>An alarm. One waits; anyone wakes.</summary>
internal sealed class Alarm : IDisposable
{
    private readonly Lock turn = new();
    private readonly ITimer timer;
    private TaskCompletionSource waits = new();
    private bool isPoked;

    public Alarm(TimeProvider time)
    {
        waits.SetResult();
        timer = time.CreateTimer(_ => Ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Waits.</summary>
    public Task WaitAsync(TimeSpan atMost)
    {
        lock (turn)
        {
            waits = new TaskCompletionSource();
            timer.Change(isPoked || atMost < TimeSpan.Zero ? TimeSpan.Zero : atMost, Timeout.InfiniteTimeSpan);
            isPoked = false;
            return waits.Task;
        }
    }

    /// <summary>Ends the wait, or the next one: on a thread of the timer's, not on the caller's.</summary>
    public void Wake()
    {
        lock (turn)
        {
            isPoked = true;
            timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose() => timer.Dispose();

    private void Ring()
    {
        TaskCompletionSource rung;
        lock (turn)
        {
            rung = waits;
            if (!rung.Task.IsCompleted) isPoked = false;
        }

        rung.TrySetResult();
    }
}
