// A clock that moves when it is told to, and its timers with it.

namespace Weir.Tests.Unit.Control.Discovery;

internal sealed class HeldTime : TimeProvider
{
    private readonly Lock turn = new();
    private readonly List<HeldTimer> timers = [];
    private long now = 1_000_000;

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => Volatile.Read(ref now);

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddMilliseconds(GetTimestamp());

    /// <summary>In how many ms the next timer is due; null: none is set.</summary>
    public long? Next
    {
        get
        {
            lock (turn) return timers.Select(static t => t.DueAt).Min() - now;
        }
    }

    public void Advance(long ms)
    {
        HeldTimer[] due;
        lock (turn)
        {
            now += ms;
            due = [.. timers.Where(t => t.DueAt <= now)];
            foreach (var timer in due) timer.DueAt = null;
        }

        foreach (var timer in due) timer.Fire();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new HeldTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        lock (turn) timers.Add(timer);
        return timer;
    }

    private sealed class HeldTimer(HeldTime time, Action fire) : ITimer
    {
        public long? DueAt { get; set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time.turn) DueAt = dueTime == Timeout.InfiniteTimeSpan ? null : time.now + (long)dueTime.TotalMilliseconds;
            return true;
        }

        public void Dispose()
        {
            lock (time.turn)
            {
                DueAt = null;
                time.timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
