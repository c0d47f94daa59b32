// One lookup: from a name to addresses, or from a service's name to its servers. Bounded in time and in what it may bring.
// What fails is told in words; nothing is thrown for what a server can send.

using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Weir.Control.Discovery;

/// <summary>What is looked up.</summary>
public enum NameKind
{
    Addresses,
    Services,
}

/// <summary>How a lookup ended.</summary>
public enum LookupOutcome
{
    Done,
    NotFound,
    Timeout,
    Failed,
}

/// <summary>What a lookup brought.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Trouble">Why it brought nothing, for people.</param>
/// <param name="Addresses">IPv4 first; no more than <see cref="Most"/>.</param>
/// <param name="Services">No more than <see cref="Most"/>.</param>
/// <param name="Ttl">For how long it holds, in ms.</param>
/// <param name="Missing">The family of which nothing could be learnt, where something was found of the other.</param>
public sealed record Lookup(LookupOutcome Outcome, string Trouble, IPAddress[] Addresses, ServiceRecord[] Services, long Ttl, AddressFamily Missing = AddressFamily.Unspecified)
{
    /// <summary>What is taken of an answer.</summary>
    public const int Most = 1024;

    // The system's files and other sources say nothing of time.
    private const long SystemTtl = 30_000;

    public static Lookup Found(IPAddress[] addresses, ServiceRecord[] services, long ttl, AddressFamily missing = AddressFamily.Unspecified) => new(LookupOutcome.Done, "", addresses, services, ttl, missing);

    public static Lookup Nothing(LookupOutcome outcome, string trouble) => new(outcome, trouble, [], [], 0);

    /// <summary>Looks a name up, once.</summary>
    public static async Task<Lookup> RunAsync(NameKind kind, string name, ResolveSettings settings, CancellationToken stop)
    {
        if (!DnsMessage.IsName(name)) return Nothing(LookupOutcome.NotFound, "it is no name");
        // RFC 6761: these are nobody's to say.
        if (EndsIn(name, "invalid")) return Nothing(LookupOutcome.NotFound, "there is no such name");
        var isSystem = settings.Servers.Length == 0;
        if (kind == NameKind.Addresses && isSystem && SystemNames.Hosts(name) is { Length: > 0 } known && Wanted(known, settings) is { Length: > 0 } written) return Found(written, [], SystemTtl);
        if (kind == NameKind.Addresses && EndsIn(name, "localhost")) return Found(Wanted([IPAddress.Loopback, IPAddress.IPv6Loopback], settings), [], SystemTtl);
        var system = isSystem ? SystemNames.Read() : null;
        var until = Environment.TickCount64 + settings.Timeout;
        var outcome = Nothing(LookupOutcome.NotFound, "there is no such name");
        foreach (var whole in system?.Meant(name) ?? [name])
        {
            var left = Math.Max(1, until - Environment.TickCount64);
            var found = kind == NameKind.Services ? await ServicesAsync(system?.Servers ?? settings.Servers, whole, settings, left, stop).ConfigureAwait(false) : await AddressesAsync(system?.Servers ?? settings.Servers, whole, settings, left, stop).ConfigureAwait(false);
            if (found.Outcome is LookupOutcome.Done or LookupOutcome.Timeout) return found;
            // That a name of the search list does not exist says less than that a server cannot say.
            if (outcome.Outcome == LookupOutcome.NotFound) outcome = found;
        }

        return kind == NameKind.Addresses && isSystem ? await BySystemAsync(name, outcome, settings, until, stop).ConfigureAwait(false) : outcome;
    }

    private static async Task<Lookup> AddressesAsync(IPEndPoint[] servers, string name, ResolveSettings settings, long timeout, CancellationToken stop)
    {
        var asking = NameServers.AskAsync(servers, name, DnsType.Address, timeout, stop);
        var asking6 = settings.WithIpv6 ? NameServers.AskAsync(servers, name, DnsType.Address6, timeout, stop) : null;
        var (four, by) = await asking.ConfigureAwait(false);
        var (six, by6) = asking6 is null ? (DnsAnswer.Nothing(DnsOutcome.Empty), null) : await asking6.ConfigureAwait(false);
        if (four.Outcome == DnsOutcome.Found || six.Outcome == DnsOutcome.Found)
        {
            var ttl = Math.Min(four.Outcome == DnsOutcome.Found ? four.Ttl : long.MaxValue, six.Outcome == DnsOutcome.Found ? six.Ttl : long.MaxValue);
            var missing = IsFailure(four.Outcome) ? AddressFamily.InterNetwork : IsFailure(six.Outcome) ? AddressFamily.InterNetworkV6 : AddressFamily.Unspecified;
            return Found(Bounded([.. four.Addresses, .. six.Addresses], Text), [], ttl * 1000, missing);
        }

        return IsFailure(four.Outcome) ? Failed(four.Outcome, by, settings) : IsFailure(six.Outcome) ? Failed(six.Outcome, by6, settings) : Nothing(LookupOutcome.NotFound, four.Outcome == DnsOutcome.NoSuchName ? "there is no such name" : "it has no addresses");
    }

    private static async Task<Lookup> ServicesAsync(IPEndPoint[] servers, string name, ResolveSettings settings, long timeout, CancellationToken stop)
    {
        var (answer, by) = await NameServers.AskAsync(servers, name, DnsType.Service, timeout, stop).ConfigureAwait(false);
        if (IsFailure(answer.Outcome)) return Failed(answer.Outcome, by, settings);
        if (answer.Outcome != DnsOutcome.Found) return Nothing(LookupOutcome.NotFound, answer.Outcome == DnsOutcome.NoSuchName ? "there is no such name" : "it has no servers");
        // A target of "." says that the service is decidedly not there (RFC 2782).
        var usable = answer.Services.Where(static s => s.Port > 0 && DnsMessage.IsName(s.Target)).ToArray();
        // Targets are whole names (RFC 1035 §3.1): a search list must not lead to other servers.
        usable = Array.ConvertAll(usable, static s => s with { Target = s.Target + "." });
        return usable.Length > 0 ? Found([], Bounded(usable, Text), answer.Ttl * 1000) : Nothing(LookupOutcome.NotFound, "it has no servers that can be used");
    }

    // Names may come from elsewhere than files and the DNS: whatever else nsswitch.conf lists.
    private static async Task<Lookup> BySystemAsync(string name, Lookup otherwise, ResolveSettings settings, long until, CancellationToken stop)
    {
        try
        {
            var left = TimeSpan.FromMilliseconds(Math.Max(1, until - Environment.TickCount64));
            var found = Wanted(await Dns.GetHostAddressesAsync(name, stop).WaitAsync(left, stop).ConfigureAwait(false), settings);
            return found.Length > 0 ? Found(found, [], SystemTtl) : otherwise;
        }
        catch (Exception e) when (e is SocketException or TimeoutException or ArgumentException)
        {
            return otherwise;
        }
    }

    private static bool EndsIn(string name, string top)
    {
        name = name.TrimEnd('.');
        return name.Equals(top, StringComparison.OrdinalIgnoreCase) || name.EndsWith("." + top, StringComparison.OrdinalIgnoreCase);
    }

    private static IPAddress[] Wanted(IEnumerable<IPAddress> addresses, ResolveSettings settings) =>
        Bounded([.. addresses.Where(a => settings.WithIpv6 || a.AddressFamily == AddressFamily.InterNetwork).OrderBy(static a => a.AddressFamily == AddressFamily.InterNetworkV6).Distinct()], Text);

    // Servers turn their answers round: of too many, the same are taken each time.
    private static T[] Bounded<T>(T[] all, Func<T, string> text) => all.Length <= Most ? all : [.. all.OrderBy(text, StringComparer.Ordinal).Take(Most)];

    private static string Text(IPAddress address) => address.ToString();

    private static string Text(ServiceRecord service) => string.Create(CultureInfo.InvariantCulture, $"{service.Priority:D5} {service.Target} {service.Port}");

    private static bool IsFailure(DnsOutcome outcome) => outcome is not (DnsOutcome.Found or DnsOutcome.Empty or DnsOutcome.NoSuchName);

    private static Lookup Failed(DnsOutcome outcome, IPEndPoint? by, ResolveSettings settings) => outcome switch
    {
        DnsOutcome.Silent => Nothing(LookupOutcome.Timeout, string.Create(CultureInfo.InvariantCulture, $"{by} does not answer within {settings.Timeout} ms")),
        DnsOutcome.Malformed => Nothing(LookupOutcome.Failed, $"{by} answers with what cannot be read"),
        _ => Nothing(LookupOutcome.Failed, $"{by} refuses to say"),
    };
}
