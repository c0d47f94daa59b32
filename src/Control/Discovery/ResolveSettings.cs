// How names are looked up, as an operator set it. Two upstreams that say the same share what is found.

using System.Net;

namespace Weir.Control.Discovery;

/// <summary>How names are looked up. Immutable.</summary>
/// <param name="Servers">Whom to ask; empty: as the system does.</param>
/// <param name="LeastTtl">What is found holds at least so long, in ms.</param>
/// <param name="MostTtl">And at most.</param>
/// <param name="Timeout">The time for one lookup, in ms.</param>
/// <param name="WithIpv6">Whether IPv6 addresses are wanted.</param>
public sealed record ResolveSettings(IPEndPoint[] Servers, long LeastTtl = 1_000, long MostTtl = 300_000, long Timeout = 2_000, bool WithIpv6 = true)
{
    public static ResolveSettings Default { get; } = new([]);

    /// <summary>The same text for the same settings.</summary>
    public string Key => $"{string.Join(' ', Servers.Select(static s => s.ToString()))} {LeastTtl} {MostTtl} {Timeout} {WithIpv6}";
}
