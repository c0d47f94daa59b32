// After a failure nothing is written for a while, and longer each time: a disk that is full or broken is left alone, and tried
// again now and then. Any thread.

namespace Weir.Engine.Caching.Disk;

/// <summary>A pause that grows.</summary>
internal sealed class StorePause(Func<long> milliseconds)
{
    public const int First = 1_000;
    public const int Longest = 300_000;

    private readonly Lock door = new();
    private long until;
    private int length;

    /// <summary>Whether it lasts.</summary>
    public bool Lasts => Volatile.Read(ref length) != 0 && milliseconds() < Volatile.Read(ref until);

    /// <summary>Something failed. What fails during a pause was begun before it and does not prolong it.</summary>
    public void Begin()
    {
        lock (door)
        {
            if (Lasts) return;
            length = length == 0 ? First : Math.Min(length * 2, Longest);
            Volatile.Write(ref until, milliseconds() + length);
        }
    }

    /// <summary>Something went well.</summary>
    public void End()
    {
        if (Volatile.Read(ref length) == 0 || Lasts) return;
        Volatile.Write(ref length, 0);
    }
}
