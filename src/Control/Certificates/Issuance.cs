// Automatic certificates: names that are wanted, and what has been given for them. Each name has a keeper; few of them order at
// once. Nothing here is on the way of a handshake: whoever shows certificates is told of each new one, and shows the last one it
// was told of, whatever becomes of the CA. All of it runs on the runtime's own threads.

using Weir.Control.Certificates.Dns;
using Weir.Engine.Observe;

namespace Weir.Control.Certificates;

/// <summary>Obtains and renews certificates. Any thread.</summary>
public sealed class Issuance : IDisposable
{
    /// <summary>Orders, and questions about renewal, at once.</summary>
    public const int MostAtOnce = 8;

    /// <summary>Names kept because a handshake asked for them.</summary>
    public const int MostOnDemand = 10_000;

    internal const string Area = "certificate";

    private readonly Lock turn = new();
    private readonly Dictionary<string, Keeper> keepers = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<Issuer, IssuerDesk> desks = [];
    private readonly SemaphoreSlim places = new(MostAtOnce);
    private readonly CancellationTokenSource stopping = new();
    private readonly HttpMessageHandler? handler;
    private readonly Func<IssuanceSettings, IReadOnlyList<IChallengeWay>> ways;
    private OnDemand? onDemand;
    private volatile IssuanceSettings settings = new() { Issuers = [] };
    private bool isStarted;
    private bool isStopped;

    /// <param name="folder">Where accounts, keys and certificates lie.</param>
    /// <param name="errors">Takes each step, for an operator.</param>
    /// <param name="time">The clock; null: the system's.</param>
    /// <param name="chance">What spreads renewals; null: made here.</param>
    /// <param name="handler">What sends to CAs and to the ask URL; null: the network.</param>
    public Issuance(CertificateFolder folder, ErrorLog errors, TimeProvider? time = null, Random? chance = null, HttpMessageHandler? handler = null)
        : this(folder, errors, time, chance, handler, null)
    {
    }

    internal Issuance(CertificateFolder folder, ErrorLog errors, TimeProvider? time, Random? chance, HttpMessageHandler? handler, Func<IssuanceSettings, IReadOnlyList<IChallengeWay>>? ways, LeaseOwner? owner = null)
    {
        (Folder, Errors, Time, Chance, this.handler) = (folder, errors, time ?? TimeProvider.System, chance ?? new Random(), handler);
        Answers = new ChallengeAnswers(folder, Time);
        Owner = owner ?? LeaseOwner.OfThisProcess();
        this.ways = ways ?? Ways;
    }

    /// <summary>Called with each certificate that is there anew: found in the folder, or given. Calls for one name come one after the other; short, and never throws.</summary>
    public event Action<GivenCertificate>? Given;

    /// <summary>What is shown to CAs that look.</summary>
    public ChallengeAnswers Answers { get; }

    /// <summary>How certificates are asked for.</summary>
    public IssuanceSettings Settings => settings;

    /// <summary>How often it is looked what other nodes show.</summary>
    internal TimeSpan LookEvery { get; init; } = ChallengeAnswers.LookEvery;

    internal CertificateFolder Folder { get; }

    internal ErrorLog Errors { get; }

    internal TimeProvider Time { get; }

    internal Random Chance { get; }

    internal LeaseOwner Owner { get; }

    internal CancellationToken Stopping => stopping.Token;

    /// <summary>All names, and how they stand.</summary>
    public CertificateStatus[] All
    {
        get
        {
            lock (turn) return [.. keepers.Values.Select(static k => k.Status).OrderBy(static s => s.Name, StringComparer.Ordinal)];
        }
    }

    /// <summary>Orders so far by issuer and outcome: given, unreachable, rate_limited, refused, not_shown, own.</summary>
    public IEnumerable<(string Issuer, string Outcome, long Count)> Outcomes
    {
        get
        {
            IssuerDesk[] all;
            lock (turn)
            {
                if (keepers.Count > 0) _ = settings.Issuers.Select(DeskOf).ToArray(); // Those too that nothing has been asked of yet.
                all = [.. desks.Values];
            }

            foreach (var same in all.GroupBy(static d => d.Issuer.Name))
            {
                yield return (same.Key, "given", same.Sum(static d => d.Count(null)));
                foreach (var kind in Enum.GetValues<Acme.TroubleKind>()) yield return (same.Key, Word(kind), same.Sum(d => d.Count(kind)));
            }
        }
    }

    /// <summary>The certificate of a name; null: there is none yet, or the name is not wanted.</summary>
    public GivenCertificate? Find(string name)
    {
        lock (turn) return keepers.GetValueOrDefault(name)?.Status.Given;
    }

    /// <summary>Wants certificates for these names and for no others, and asks in this way from now on. What was given on demand stays.</summary>
    public void Want(IssuanceSettings next, IEnumerable<string> names)
    {
        lock (turn)
        {
            if (isStopped) return;
            var wanted = names.ToHashSet(StringComparer.OrdinalIgnoreCase);
            var isChanged = !ReferenceEquals(settings, next);
            settings = next;
            if (onDemand is null || isChanged)
            {
                onDemand?.Dispose();
                onDemand = next.OnDemand is null ? null : new OnDemand(next.OnDemand, Errors, Time, handler);
            }

            foreach (var (name, keeper) in keepers.Where(k => wanted.Contains(k.Key) ? k.Value.Status.IsOnDemand : !(k.Value.Status.IsOnDemand && onDemand is not null)).ToArray())
            {
                keepers.Remove(name);
                keeper.Dispose();
            }

            foreach (var keeper in keepers.Values.Where(k => isChanged && k.Status.Trouble is not null)) keeper.TryAgain();
            foreach (var name in wanted.Where(n => !keepers.ContainsKey(n))) Keep(name, isOnDemand: false);
        }
    }

    /// <summary>Begins. What is in the folder has been told of by <see cref="Given"/> soon after.</summary>
    /// <returns>Why nothing can be kept; null: it can.</returns>
    public string? Start()
    {
        if (Folder.Open() is { } trouble) return trouble;
        lock (turn)
        {
            if (isStarted || isStopped) return null;
            isStarted = true;
            foreach (var keeper in keepers.Values) keeper.Start();
        }

        _ = LookAsync();
        return null;
    }

    /// <summary>Orders a new certificate for a name now.</summary>
    /// <returns>Whether the name is wanted.</returns>
    public bool Renew(string name)
    {
        lock (turn)
        {
            if (!keepers.TryGetValue(name, out var keeper)) return false;
            keeper.Renew();
            return true;
        }
    }

    /// <summary>The certificate for a name that a handshake asks for: what is there, else ordered now, where that is allowed. Whoever waits does so as long as it likes.</summary>
    /// <returns>Null: there is none to be had for now.</returns>
    public async Task<GivenCertificate?> DemandAsync(string name, CancellationToken stop)
    {
        name = name.ToLowerInvariant();
        Keeper? keeper;
        OnDemand? allows;
        lock (turn) (keeper, allows) = (keepers.GetValueOrDefault(name), onDemand);
        if (keeper is null)
        {
            if (allows is null || !OnDemand.IsName(name)) return null;
            if (!File.Exists(Folder.CertificatePath(name)) && !await allows.Allowed(name).WaitAsync(stop).ConfigureAwait(false)) return null;
            lock (turn)
            {
                if (isStopped || !isStarted || (!keepers.TryGetValue(name, out keeper) && !MakeRoom())) return null;
                keeper ??= Keep(name, isOnDemand: true);
            }
        }

        await keeper.First.WaitAsync(stop).ConfigureAwait(false);
        return keeper.Status.Given;
    }

    /// <summary>Stops; orders under way are taken up at the next start.</summary>
    public void Dispose()
    {
        lock (turn)
        {
            if (isStopped) return;
            isStopped = true;
            stopping.Cancel();
            foreach (var keeper in keepers.Values) keeper.Dispose();
            onDemand?.Dispose();
        }
    }

    internal void Say(LogLevel level, string text) => Errors.Write(level, Area, text);

    internal void Give(GivenCertificate given) => Given?.Invoke(given);

    internal IssuerDesk DeskOf(Issuer issuer)
    {
        lock (turn)
        {
            if (!desks.TryGetValue(issuer, out var desk)) desks[issuer] = desk = new IssuerDesk(issuer, Folder, Owner, Time, Chance, text => Errors.Info(Area, text), handler);
            return desk;
        }
    }

    internal IssuerDesk? DeskOf(string? directory) => Array.Find(settings.Issuers, i => i.Directory.AbsoluteUri == directory) is { } issuer ? DeskOf(issuer) : null;

    /// <summary>The ways there are, that which failed last at the end.</summary>
    internal IReadOnlyList<IChallengeWay> WaysFor(IssuanceSettings from, ChallengeType? last) => [.. ways(from).OrderBy(w => w.Type == last)];

    internal async Task<Place> EnterAsync(CancellationToken stop)
    {
        await places.WaitAsync(stop).ConfigureAwait(false);
        return new Place(places);
    }

    internal async Task<Asked> AskAsync(string name, CancellationToken stop)
    {
        OnDemand? allows;
        lock (turn) allows = onDemand;
        return allows is null ? Asked.No : await allows.AskAsync(name).WaitAsync(stop).ConfigureAwait(false);
    }

    /// <summary>A name that a handshake asked for has come to nothing.</summary>
    internal void Forget(Keeper keeper)
    {
        lock (turn)
        {
            if (keepers.GetValueOrDefault(keeper.Name) == keeper) keepers.Remove(keeper.Name);
            keeper.Forget();
        }
    }

    /// <summary>Deletes what is left of a name that nobody keeps any more and that has no certificate.</summary>
    /// <param name="name">The name.</param>
    /// <param name="isOurs">Takes its lease: another node may be at it.</param>
    internal void Clear(string name, Func<bool> isOurs)
    {
        try
        {
            lock (turn)
            {
                if (!isStopped && !keepers.ContainsKey(name) && Folder.HasRemains(name) && isOurs()) Folder.Forget(name);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Say(LogLevel.Warn, $"{name}: what is left of it in the folder cannot be deleted: {e.Message}");
        }
    }

    private static string Word(Acme.TroubleKind kind) => kind switch { Acme.TroubleKind.Unreachable => "unreachable", Acme.TroubleKind.RateLimited => "rate_limited", Acme.TroubleKind.Refused => "refused", Acme.TroubleKind.NotShown => "not_shown", _ => "own" };

    private IReadOnlyList<IChallengeWay> Ways(IssuanceSettings from) => [.. from.Challenges.Select(type => type switch
    {
        ChallengeType.Http => new HttpWay(Answers, Time),
        ChallengeType.TlsAlpn => new TlsAlpnWay(Answers, Time),
        _ => from.Dns is { } dns ? DnsWay.Make(dns, Time, text => Errors.Warn(Area, text)) : (IChallengeWay?)null,
    }).OfType<IChallengeWay>()];

    private Keeper Keep(string name, bool isOnDemand)
    {
        var keeper = new Keeper(this, name.ToLowerInvariant(), isOnDemand);
        keepers[keeper.Name] = keeper;
        if (isStarted) keeper.Start();
        return keeper;
    }

    // Those that have come to nothing make room.
    private bool MakeRoom()
    {
        var asked = keepers.Values.Where(static k => k.Status.IsOnDemand).ToArray();
        if (asked.Length < MostOnDemand) return true;
        foreach (var keeper in asked.Where(static k => k.Status.Given is null && !k.Status.IsOrdering).Take(MostOnDemand / 10)) Forget(keeper);
        return keepers.Values.Count(static k => k.Status.IsOnDemand) < MostOnDemand;
    }

    // What other nodes show.
    private async Task LookAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(LookEvery, Time, stopping.Token).ConfigureAwait(false);
                Answers.Look();
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Errors.Error(Area, $"the folder of certificates cannot be read: {e.Message}");
            }
        }
    }

    /// <summary>A place among those that order.</summary>
    internal readonly struct Place(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }
}
