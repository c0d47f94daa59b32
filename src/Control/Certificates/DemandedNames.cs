// The names that handshakes have asked a site for, and what shows their certificates.

using System.Collections.Concurrent;
using System.Text;
using Weir.Engine.Observe;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>A site's names on demand. Any thread.</summary>
/// <param name="issuance">What obtains certificates.</param>
/// <param name="site">The site: what it asks of clients, its names ask too.</param>
internal sealed class DemandedNames(Issuance issuance, AutomaticName site) : CertificateDemand
{
    /// <summary>Names that handshakes wait for at once.</summary>
    public const int MostAwaited = 256;

    /// <summary>Handshakes that wait for one name at once, those among them that have been given up.</summary>
    public const int MostWaiting = 256;

    // Longer than any handshake: what comes later is there for the next.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, AutomaticName> shown = new();
    private readonly Lock turn = new(); // Held for a look-up.
    private readonly Dictionary<string, List<Action>> awaited = [];

    public AutomaticName Site => site;

    public override TlsSite? Find(ReadOnlySpan<byte> name)
    {
        const int Longest = 253;
        Span<char> text = stackalloc char[Longest];
        return name.Length is > 0 and <= Longest && shown.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text[..Encoding.Latin1.GetChars(name, text)], out var found) ? found.Shown.Site : null;
    }

    public override bool TryBegin(string name, Action then)
    {
        if (!OnDemand.IsName(name)) return false;
        lock (turn)
        {
            if (awaited.TryGetValue(name, out var waiting))
            {
                if (waiting.Count >= MostWaiting) return false;
                waiting.Add(then);
                return true;
            }

            if (awaited.Count >= MostAwaited) return false;
            awaited[name] = [then];
        }

        _ = Task.Run(() => ObtainAsync(name));
        return true;
    }

    /// <summary>Shows another certificate of a name that is shown already.</summary>
    public void Renewed(GivenCertificate given)
    {
        if (shown.ContainsKey(given.Name)) Show(given);
    }

    private async Task ObtainAsync(string name)
    {
        try
        {
            using var limit = new CancellationTokenSource(Patience);
            if (await issuance.DemandAsync(name, limit.Token).ConfigureAwait(false) is { } given) Show(given);
        }
        catch (OperationCanceledException)
        {
            // It is shown when it has come: to the next handshake, which finds its keeper.
        }
#pragma warning disable CA1031 // A background task's root.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            issuance.Errors.Error(Issuance.Area, $"{name}: a mistake of ours: {bug}");
        }
        finally
        {
            List<Action>? waiting;
            lock (turn) awaited.Remove(name, out waiting);
            foreach (var then in waiting!) then();
        }
    }

    private void Show(GivenCertificate given)
    {
        var one = shown.GetOrAdd(given.Name, static (name, by) => by.site with { Name = name, Shown = new SiteCertificates(name, by.issuance.Errors) }, (site, issuance));
        if (one.Show(given.Name, given.Path) is { } trouble) issuance.Say(LogLevel.Error, $"{given.Name}: {given.Path} cannot be shown: {trouble}");
    }
}
