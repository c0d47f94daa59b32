// Looks whether a TXT record is to be seen: at each server of its zone, for those are whom a CA asks in the end. Where these
// cannot be found, at whoever was asked for them.

using System.Net;
using System.Text;
using Weir.Control.Discovery;

namespace Weir.Control.Certificates.Dns;

/// <summary>Looks for records.</summary>
/// <param name="servers">Who is asked for the zone; empty: the system's.</param>
/// <param name="time">The clock.</param>
internal sealed class TextWatch(IPEndPoint[] servers, TimeProvider time)
{
    private const int MostServers = 8;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);

    private readonly IPEndPoint[] asked = servers.Length > 0 ? servers : SystemNames.Read().Servers;

    /// <summary>Waits until it is to be seen; null: it is; else why it is not.</summary>
    public async Task<string?> SeenAsync(string name, string value, TimeSpan most, CancellationToken stop)
    {
        var since = time.GetTimestamp();
        var zone = await FindAsync(name, stop).ConfigureAwait(false);
        if (zone.Length == 0) zone = asked;
        while (true)
        {
            var missing = await MissingAsync(zone, name, value, stop).ConfigureAwait(false);
            if (missing is null) return null;
            if (time.GetElapsedTime(since) >= most) return missing;
            await Task.Delay(LookEvery, time, stop).ConfigureAwait(false);
        }
    }

    /// <summary>The zone a name is in, as a server says; null: it does not say.</summary>
    public static async Task<string?> ZoneAsync(IPEndPoint server, string name, TimeProvider time, CancellationToken stop)
    {
        // An answer names the zone in its record, and one that there is nothing in those of the authority (RFC 2308).
        var reply = await DnsTalk.AskAsync(server, name, DnsType.Authority, time, stop).ConfigureAwait(false);
        return reply?.Records.Where(static r => r.Type == DnsType.Authority).Select(static r => r.Owner).FirstOrDefault();
    }

    // A server that does not answer at all says nothing against the record.
    private async Task<string?> MissingAsync(IPEndPoint[] zone, string name, string value, CancellationToken stop)
    {
        var answered = 0;
        foreach (var server in zone)
        {
            var reply = await DnsTalk.AskAsync(server, name, DnsType.Text, time, stop).ConfigureAwait(false);
            if (reply is null) continue;
            answered++;
            if (!reply.Records.Any(r => r.Type == DnsType.Text && Text(r.Data) == value)) return $"{server} does not show it";
        }

        return answered > 0 ? null : $"{string.Join(", ", zone.Take(3))} does not answer";
    }

    private async Task<IPEndPoint[]> FindAsync(string name, CancellationToken stop)
    {
        var found = new List<IPEndPoint>();
        foreach (var server in asked)
        {
            if (await ZoneAsync(server, name, time, stop).ConfigureAwait(false) is not { Length: > 0 } zone) continue;
            var named = await DnsTalk.AskAsync(server, zone, DnsType.NameServer, time, stop).ConfigureAwait(false);
            foreach (var host in (named?.Records ?? []).Where(static r => r.Type == DnsType.NameServer && r.Name is not null && DnsMessage.IsName(r.Name)).Select(static r => r.Name!).Distinct().Take(MostServers))
            {
                var (answer, _) = await NameServers.AskAsync(asked, host, DnsType.Address, 3_000, stop).ConfigureAwait(false);
                if (answer.Addresses.Length > 0) found.Add(new IPEndPoint(answer.Addresses[0], 53));
            }

            break;
        }

        return [.. found.Distinct()];
    }

    // One or more strings of up to 255 bytes.
    private static string Text(ReadOnlySpan<byte> data)
    {
        var text = new StringBuilder();
        while (data.Length > 0 && data[0] < data.Length)
        {
            text.Append(Encoding.Latin1.GetString(data.Slice(1, data[0])));
            data = data[(1 + data[0])..];
        }

        return text.ToString();
    }
}
