// From a host to a site: exact names first, then the longest wildcard ("*.example.com" covers every name below, not
// example.com itself), then the default.

using System.Text;

namespace Weir.Engine.Routing;

/// <summary>Sites by host. Immutable once a plan is made.</summary>
public sealed class HostTable<TSite>
    where TSite : class
{
    private readonly ByteMap<TSite> exact = new();
    private readonly ByteMap<TSite> below = new();

    /// <summary>The site for every other host; null: such a request is misdirected.</summary>
    public TSite? Default { get; set; }

    /// <summary>Adds a host, lower case: a name, an address, or "*." and a name. False where it is there already.</summary>
    public bool TryAdd(string host, TSite site)
    {
        var isWildcard = host.StartsWith("*.", StringComparison.Ordinal);
        var key = Encoding.ASCII.GetBytes(isWildcard ? host[2..] : host);
        var added = false;
        (isWildcard ? below : exact).FindOrAdd(key, () =>
        {
            added = true;
            return site;
        });
        return added;
    }

    /// <summary>Finds the site for a host in lower case.</summary>
    public TSite? Find(ReadOnlySpan<byte> host) => FindNamed(host) ?? Default;

    /// <summary>Finds the site that names a host in lower case, or names what it is below.</summary>
    public TSite? FindNamed(ReadOnlySpan<byte> host)
    {
        if (exact.Find(host) is { } site) return site;
        if (below.Count > 0)
        {
            var rest = host;
            while (rest.IndexOf((byte)'.') is >= 0 and var dot)
            {
                rest = rest[(dot + 1)..];
                if (below.Find(rest) is { } wild) return wild;
            }
        }

        return null;
    }
}
