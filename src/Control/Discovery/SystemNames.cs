// What the system says about names: /etc/hosts, and /etc/resolv.conf (resolv.conf(5)). Read anew for each lookup, for they are
// small, lookups are rare, and whoever changes them expects it.

using System.Globalization;
using System.Net;

namespace Weir.Control.Discovery;

/// <summary>Whom the system asks, and for which names.</summary>
public sealed record SystemNames(IPEndPoint[] Servers, string[] Search, int Dots)
{
    private const int DnsPort = 53;

    // What a file may have: a lookup reads it whole.
    private const long MostBytes = 16 << 20;

    /// <summary>What /etc/resolv.conf says; without it, a server on this machine.</summary>
    public static SystemNames Read(string path = "/etc/resolv.conf")
    {
        var servers = new List<IPEndPoint>();
        string[] search = [];
        var dots = 1;
        foreach (var line in Lines(path))
        {
            var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2 || words[0][0] is '#' or ';') continue;
            switch (words[0])
            {
                case "nameserver" when servers.Count < 3 && IPAddress.TryParse(words[1], out var ip):
                    servers.Add(new IPEndPoint(ip, DnsPort));
                    break;
                case "search" or "domain":
                    search = [.. words[1..].Where(DnsMessage.IsName).Take(32)]; // The last of these lines counts.
                    break;
                case "options":
                    foreach (var option in words.Where(static w => w.StartsWith("ndots:", StringComparison.Ordinal)))
                    {
                        if (int.TryParse(option.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out var n)) dots = Math.Min(n, 15);
                    }

                    break;
            }
        }

        return new SystemNames(servers.Count > 0 ? [.. servers] : [new IPEndPoint(IPAddress.Loopback, DnsPort)], search, dots);
    }

    /// <summary>The whole names a name may mean, in the order they are asked for.</summary>
    public IEnumerable<string> Meant(string name)
    {
        if (name.EndsWith('.')) return [name];
        var further = Search.Select(s => $"{name}.{s.TrimEnd('.')}").Where(DnsMessage.IsName);
        return name.Count(static c => c == '.') >= Dots ? further.Prepend(name) : further.Append(name);
    }

    /// <summary>What /etc/hosts says of a name.</summary>
    public static IPAddress[] Hosts(string name, string path = "/etc/hosts")
    {
        name = name.TrimEnd('.');
        var found = new List<IPAddress>();
        foreach (var line in Lines(path))
        {
            var words = line.Split('#')[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words.Skip(1).Contains(name, StringComparer.OrdinalIgnoreCase) && IPAddress.TryParse(words[0], out var ip)) found.Add(ip);
        }

        return [.. found.Distinct()];
    }

    private static IEnumerable<string> Lines(string path)
    {
        try
        {
            return new FileInfo(path) is { Exists: true, Length: < MostBytes } ? File.ReadAllLines(path) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
