// Records by updates of their zone. Where the name is an alias, it is what it stands for that is updated: so may one zone hold
// the proofs for many.

using System.Net;
using System.Security.Cryptography;
using Weir.Control.Certificates.Acme;
using Weir.Control.Discovery;

namespace Weir.Control.Certificates.Dns;

/// <summary>Updates a zone.</summary>
internal sealed class UpdateRecords(UpdateSettings settings, TimeProvider time) : ITextRecords
{
    public IPEndPoint[] Servers => [settings.Server];

    public Task PutAsync(string name, string value, CancellationToken stop) => UpdateAsync(name, value, isAdded: true, stop);

    public Task TakeAsync(string name, string value, CancellationToken stop) => UpdateAsync(name, value, isAdded: false, stop);

    private async Task UpdateAsync(string name, string value, bool isAdded, CancellationToken stop)
    {
        var target = await TargetAsync(name, stop).ConfigureAwait(false);
        var zone = settings.Zone ?? await TextWatch.ZoneAsync(settings.Server, target, time, stop).ConfigureAwait(false)
            ?? throw new AcmeException(TroubleKind.Own, $"the name server {settings.Server} does not say in which zone {target} is: does it answer at all? 'zone' names it");
        var secret = Convert.FromBase64String(settings.Secret);
        try
        {
            var message = UpdateMessage.Make((ushort)RandomNumberGenerator.GetInt32(0x10000), zone, target, value, settings.Ttl, isAdded);
            var signed = UpdateMessage.Sign(message, settings.KeyName, secret, time.GetUtcNow(), out var mac);
            var reply = await DnsTalk.SendAsync(settings.Server, signed, time, stop).ConfigureAwait(false);
            var trouble = reply is null ? "it does not answer" : UpdateMessage.Outcome(reply, settings.KeyName, secret, mac, time.GetUtcNow());
            if (trouble is not null) throw new AcmeException(TroubleKind.Own, $"the name server {settings.Server} does not update {target} in {zone}: {trouble}");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    private async Task<string> TargetAsync(string name, CancellationToken stop)
    {
        var reply = await DnsTalk.AskAsync(settings.Server, name, DnsType.Text, time, stop).ConfigureAwait(false);
        for (var steps = 0; steps < DnsMessage.MostAliases; steps++)
        {
            var alias = reply?.Records.FirstOrDefault(r => r.Type == DnsType.Alias && string.Equals(r.Owner, name, StringComparison.OrdinalIgnoreCase)).Name;
            if (alias is null) break;
            name = alias;
        }

        return name;
    }
}
