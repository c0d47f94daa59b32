// dns-01 (RFC 8555 §8.4): a TXT record, put there by a command or by an update, and looked for before the CA is told.

using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Weir.Control.Certificates.Dns;

/// <summary>What puts a TXT record into the DNS, and takes it away.</summary>
internal interface ITextRecords
{
    Task PutAsync(string name, string value, CancellationToken stop);

    Task TakeAsync(string name, string value, CancellationToken stop);

    /// <summary>Who is asked for the zone, and whether the record is there; empty: the system's servers.</summary>
    IPEndPoint[] Servers { get; }
}

/// <summary>dns-01.</summary>
internal sealed class DnsWay(ITextRecords records, TimeSpan wait, TimeProvider time, Action<string> warn) : IChallengeWay
{
    public ChallengeType Type => ChallengeType.Dns;

    public string Wire => "dns-01";

    public static DnsWay Make(DnsSettings settings, TimeProvider time, Action<string> warn) =>
        new(settings.Hook is { } hook ? new HookRecords(hook, settings.HookTime, time) : new UpdateRecords(settings.Update!, time), settings.Wait, time, warn);

    public bool Fits(string name, bool isWildcard) => !IPAddress.TryParse(name, out _);

    public string Words(Challenge challenge) => $"the CA will look for a TXT record at {NameOf(challenge)}";

    public async Task ShowAsync(Challenge challenge, CancellationToken stop)
    {
        await records.PutAsync(NameOf(challenge), ValueOf(challenge), stop).ConfigureAwait(false);
        if (wait <= TimeSpan.Zero) return;
        if (await new TextWatch(records.Servers, time).SeenAsync(NameOf(challenge), ValueOf(challenge), wait, stop).ConfigureAwait(false) is { } trouble)
            warn(string.Create(CultureInfo.InvariantCulture, $"the TXT record at {NameOf(challenge)} was not seen within {wait.TotalSeconds} s ({trouble}); the CA is told to look all the same ('acme.dns.wait')"));
    }

    public Task HideAsync(Challenge challenge, CancellationToken stop) => records.TakeAsync(NameOf(challenge), ValueOf(challenge), stop);

    internal static string ValueOf(Challenge challenge) => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(challenge.KeyAuthorization)));

    private static string NameOf(Challenge challenge) => $"_acme-challenge.{challenge.Name}";
}
