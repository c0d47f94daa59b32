// How TLS handshakes with origins ended, counted. Any thread.

namespace Weir.Engine.Upstreams;

/// <summary>Handshakes by outcome.</summary>
public sealed class Handshakes
{
    private long full;
    private long resumed;
    private long failed;

    /// <summary>Those in which the certificate was verified.</summary>
    public long Full => Volatile.Read(ref full);

    /// <summary>Those that went on with an earlier session.</summary>
    public long Resumed => Volatile.Read(ref resumed);

    public long Failed => Volatile.Read(ref failed);

    internal void Tell(bool hasFailed, bool isResumed) => Interlocked.Increment(ref hasFailed ? ref failed : ref isResumed ? ref resumed : ref full);
}
