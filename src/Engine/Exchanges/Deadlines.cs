// Times an exchange may take, as the plan gives them, and the minimum rate: counted only while a peer owes bytes, so that
// an origin that thinks, server-sent events and long polls are never cut.

namespace Weir.Engine.Exchanges;

/// <summary>Time limits in milliseconds; <see cref="long.MaxValue"/>: none. Immutable.</summary>
public sealed record Timeouts
{
    public const long None = long.MaxValue;

    /// <summary>From a request's first byte to the end of its head.</summary>
    public long Header { get; init; } = 30_000;

    /// <summary>Silence within a request's body, while it is waited for.</summary>
    public long Body { get; init; } = 60_000;

    /// <summary>A client that takes nothing of what is written to it.</summary>
    public long Write { get; init; } = 60_000;

    /// <summary>Between two requests on a client's connection.</summary>
    public long KeepAlive { get; init; } = 75_000;

    public long Connect { get; init; } = 3_000;

    /// <summary>From the request sent to the first byte of the response's head.</summary>
    public long FirstByte { get; init; } = 60_000;

    /// <summary>Silence within a response's body, or an origin that takes nothing of a request's body.</summary>
    public long Idle { get; init; } = 60_000;

    /// <summary>The whole exchange.</summary>
    public long Total { get; init; } = None;

    /// <summary>Silence in both directions of a tunnel.</summary>
    public long Tunnel { get; init; } = 3_600_000;

    /// <summary>A moment so far ahead; never overflows.</summary>
    public static long After(long now, long timeout) => timeout > None - now ? None : now + timeout;
}

/// <summary>
/// Holds a peer to a minimum rate: it may owe bytes for a grace period, and longer for each byte it has moved.
/// A value; one per direction.
/// </summary>
public struct RateGuard(long bytesPerSecond, long graceMilliseconds)
{
    private long owed;
    private long waitingSince = -1;
    private long moved;

    /// <summary>The peer owes bytes from now on. Returns the moment at which it will have been too slow.</summary>
    public long BeginWait(long now)
    {
        waitingSince = now;
        if (bytesPerSecond <= 0) return Timeouts.None;
        var allowed = graceMilliseconds + (moved > long.MaxValue / 2000 ? long.MaxValue / 4 : moved * 1000 / bytesPerSecond);
        return now + Math.Max(0, allowed - owed);
    }

    /// <summary>The wait is over.</summary>
    public void EndWait(long now)
    {
        if (waitingSince >= 0) owed += now - waitingSince;
        waitingSince = -1;
    }

    /// <summary>Bytes have moved.</summary>
    public void Moved(int bytes) => moved += bytes;
}
