// Keeps one name in certificates: finds what is in the folder, orders what is missing, renews in time. What is shown is never
// touched by what fails: a certificate is replaced by a better one only. Each CA that fails for a name is left alone for a while,
// and the next one asked.

using System.Globalization;
using System.Security.Cryptography;
using Weir.Control.Certificates.Acme;
using Weir.Engine.Observe;

namespace Weir.Control.Certificates;

/// <summary>How a name stands. Immutable.</summary>
/// <param name="Name">The name.</param>
/// <param name="Given">Its certificate; null: there is none yet.</param>
/// <param name="RenewAt">When it is to be renewed; null: there is none.</param>
/// <param name="TryAt">When a CA is asked next after failures; null: the last time was good.</param>
/// <param name="Trouble">What went wrong last; null: nothing since the last certificate.</param>
/// <param name="IsOrdering">Whether it is being ordered now.</param>
/// <param name="IsOnDemand">Whether a handshake asked for it.</param>
public sealed record CertificateStatus(string Name, GivenCertificate? Given, DateTimeOffset? RenewAt, DateTimeOffset? TryAt, string? Trouble, bool IsOrdering, bool IsOnDemand);

/// <summary>Keeps a name. Its own flow; whoever looks at it may be on any thread.</summary>
internal sealed class Keeper : IDisposable
{
    // How often the folder is looked at: another node may have renewed.
    private static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan AfterOwnTrouble = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan AfterSilence = TimeSpan.FromMinutes(10); // Of the ask URL.

    // Of a name that a handshake asked for and that has no certificate: then another handshake has to ask, and the rate counts again.
    private const int MostFailures = 3;

    private readonly Issuance issuance;
    private readonly TimeProvider time;
    private readonly Alarm alarm;
    private readonly Dictionary<string, BackOff> backOffs = [];
    private readonly CancellationTokenSource stopping;
    private readonly TaskCompletionSource first = new(); // Whoever waits goes on at once, on the keeper's flow: it only shows what has come.
    private readonly RenewalPlan plan;
    private Lease? lease;
    private DateTime readAt;
    private string? waited; // What was said while another node had the lease.
    private DateTimeOffset tryAt = DateTimeOffset.MinValue;
    private ChallengeType? failedWay;
    private int failures;
    private bool isForced;
    private bool isForgotten;
    private bool isOver;
    private volatile CertificateStatus status;

    public Keeper(Issuance issuance, string name, bool isOnDemand)
    {
        this.issuance = issuance;
        (Name, time) = (name, issuance.Time);
        stopping = CancellationTokenSource.CreateLinkedTokenSource(issuance.Stopping);
        alarm = new Alarm(time);
        plan = new RenewalPlan(time, issuance.Chance);
        status = new CertificateStatus(name, null, null, null, null, false, isOnDemand);
    }

    public string Name { get; }

    public CertificateStatus Status => status;

    /// <summary>Done once it is known whether there is a certificate at first: after the folder has it, or the first try is over.</summary>
    public Task First => first.Task;

    public void Start()
    {
        alarm.Wake();
        _ = RunAsync();
    }

    /// <summary>Orders a new one now, whatever failed before.</summary>
    public void Renew()
    {
        Volatile.Write(ref isForced, true);
        alarm.Wake();
    }

    /// <summary>Tries again now where something failed: what is configured has changed.</summary>
    public void TryAgain()
    {
        lock (backOffs) backOffs.Clear();
        tryAt = DateTimeOffset.MinValue;
        alarm.Wake();
    }

    /// <summary>Ends, and leaves nothing of a name that has no certificate.</summary>
    public void Forget()
    {
        isForgotten = true;
        Dispose();
    }

    public void Dispose()
    {
        lock (stopping)
        {
            if (isOver) return;
            stopping.Cancel();
            alarm.Wake();
        }
    }

    private async Task RunAsync()
    {
        await alarm.WaitAsync(TimeSpan.Zero).ConfigureAwait(false);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                Look();
                if (Due() <= time.GetUtcNow()) await TryAsync().ConfigureAwait(false);
                else if (plan.IsAdviceDue) await AdviseAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
            {
                Fail(e.Message, time.GetUtcNow() + AfterOwnTrouble);
            }
#pragma warning disable CA1031 // A mistake of ours for one name must not end it for good.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                issuance.Errors.Error(Issuance.Area, $"{Name}: a mistake of ours: {bug}");
                Fail(bug.Message, time.GetUtcNow() + TimeSpan.FromHours(1));
            }

            if (status.Given is not null) first.TrySetResult();
            var wait = Due() - time.GetUtcNow();
            await alarm.WaitAsync(wait > LookEvery ? LookEvery : wait < TimeSpan.FromSeconds(1) ? TimeSpan.FromSeconds(1) : wait).ConfigureAwait(false);
        }

        first.TrySetResult();
        if (isForgotten) issuance.Clear(Name, () => (lease ??= new Lease(issuance.Folder.NameFolder(Name), issuance.Owner, time)).TryTake(out _));
        lock (stopping)
        {
            isOver = true;
            alarm.Dispose();
            stopping.Dispose();
        }
    }

    private DateTimeOffset Due()
    {
        if (Volatile.Read(ref isForced)) return DateTimeOffset.MinValue;
        return status.Given is null ? tryAt : plan.RenewAt > tryAt ? plan.RenewAt : tryAt;
    }

    // What is in the folder is read where its file has changed; and whenever a lease has been taken, because a folder that is
    // shared over a network may tell an old time for a while, and what is opened is what is there.
    private void Look(bool isSure = true)
    {
        var path = issuance.Folder.CertificatePath(Name);
        var changed = File.GetLastWriteTimeUtc(path);
        if (changed == readAt && isSure) return;
        readAt = changed;
        if (File.Exists(path) && GivenCertificate.TryRead(issuance.Folder, Name, text => issuance.Errors.Error(Issuance.Area, text)) is { } found && found.Digest != status.Given?.Digest) Take(found, isNews: false);
    }

    private void Take(GivenCertificate given, bool isNews)
    {
        plan.Begin(given);
        tryAt = DateTimeOffset.MinValue;
        lock (backOffs) backOffs.Clear();
        failedWay = null;
        failures = 0;
        status = status with { Given = given, RenewAt = plan.RenewAt, TryAt = null, Trouble = null };
        issuance.Say(LogLevel.Info, string.Create(CultureInfo.InvariantCulture, $"{Name}: {(isNews ? "got it" : "found in the folder")}, valid until {given.NotAfter:yyyy-MM-dd HH:mm} UTC, given by {given.Issuer ?? given.SignedBy}; renewal planned for {plan.RenewAt:yyyy-MM-dd HH:mm}"));
        issuance.Give(given);
        first.TrySetResult();
    }

    private async Task TryAsync()
    {
        using var place = await issuance.EnterAsync(stopping.Token).ConfigureAwait(false);
        if (status.IsOnDemand && (status.Given is not null || failures > 0)) // Else it was asked just now.
        {
            var asked = await issuance.AskAsync(Name, stopping.Token).ConfigureAwait(false);
            if (asked == Asked.No) Fail("the ask URL does not allow it any more", time.GetUtcNow() + TimeSpan.FromHours(6));
            else if (asked == Asked.Nothing) Fail("the ask URL does not answer", time.GetUtcNow() + AfterSilence);
            if (asked != Asked.Yes) return;
        }

        CertificateFolder.MakeFolder(issuance.Folder.NameFolder(Name));
        lease ??= new Lease(issuance.Folder.NameFolder(Name), issuance.Owner, time);
        if (!lease.TryTake(out var holder))
        {
            tryAt = time.GetUtcNow() + (Lease.RenewEvery * 0.5);
            var words = $"another node ({holder.Split(' ')[0]}) is ordering it";
            if (status.Trouble != words) issuance.Say(LogLevel.Info, $"{Name}: {words}");
            status = status with { Trouble = waited = words, TryAt = tryAt };
            return;
        }

        if (status.Trouble == waited) status = status with { Trouble = null }; // It is our turn.

        try
        {
            status = status with { IsOrdering = true };
            Look(isSure: false);
            if (Due() <= time.GetUtcNow()) await OrderAsync(issuance.Settings).ConfigureAwait(false);
        }
        finally
        {
            status = status with { IsOrdering = false };
            lease.Release();
            first.TrySetResult();
        }
    }

    private async Task OrderAsync(IssuanceSettings settings)
    {
        var (soonest, last) = (DateTimeOffset.MaxValue, (string?)null);
        if (!settings.Covers(Name, out var never))
        {
            Fail(never, time.GetUtcNow() + TimeSpan.FromHours(6));
            return;
        }

        var isForcedNow = Interlocked.Exchange(ref isForced, false);
        foreach (var issuer in settings.Issuers)
        {
            var desk = issuance.DeskOf(issuer);
            var backOff = BackOffOf(issuer);
            var until = backOff.Until > desk.Until ? backOff.Until : desk.Until;
            if (until > time.GetUtcNow() && !isForcedNow)
            {
                if (until < soonest) soonest = until;
                continue;
            }

            try
            {
                var wanted = new Wanted(Name, settings.KeyType, issuance.WaysFor(settings, failedWay), status.Given);
                var given = await new Ordering(issuance.Folder, desk.Account, wanted, lease!, time, (level, text) => issuance.Errors.Deed(level, Issuance.Area, text)).RunAsync(stopping.Token).ConfigureAwait(false);
                desk.Succeeded();
                readAt = File.GetLastWriteTimeUtc(given.Path);
                Take(given, isNews: true);
                return;
            }
            catch (AcmeException trouble)
            {
                desk.Failed(trouble);
                backOff.Failed(trouble);
                failedWay = trouble.Challenge ?? failedWay;
                last = trouble.Message;
                if (settings.Issuers.Length > 1) issuance.Say(LogLevel.Warn, $"{Name}: {last}");
                if (backOff.Until < soonest) soonest = backOff.Until;
                if (desk.Until > soonest && settings.Issuers.Length == 1) soonest = desk.Until;
                if (trouble.Kind == TroubleKind.Own) break;
            }
        }

        Fail(last ?? status.Trouble ?? "no CA may be asked yet", soonest == DateTimeOffset.MaxValue ? time.GetUtcNow() + AfterOwnTrouble : soonest);
    }

    private void Fail(string why, DateTimeOffset until)
    {
        tryAt = until;
        Volatile.Write(ref isForced, false);
        var isNew = status.Trouble != why;
        status = status with { Trouble = why, TryAt = until };
        first.TrySetResult();
        if (status is { IsOnDemand: true, Given: null } && ++failures >= MostFailures)
        {
            issuance.Say(LogLevel.Error, $"{Name} is given up until a handshake asks for it again: {why}");
            issuance.Forget(this);
            return;
        }

        var left = status.Given is { } given ? given.NotAfter - time.GetUtcNow() : (TimeSpan?)null;
        var what = left switch
        {
            null => "has no certificate yet",
            { Ticks: <= 0 } => "HAS NO VALID CERTIFICATE ANY MORE",
            { } some => string.Create(CultureInfo.InvariantCulture, $"keeps the certificate it has, which is valid for another {(some.TotalDays >= 2 ? $"{some.TotalDays:F0} days" : $"{some.TotalHours:F0} hours")}"),
        };
        var isGrave = left is null || left < status.Given!.Life / 6;
        if (isNew || isGrave) issuance.Say(isGrave ? LogLevel.Error : LogLevel.Warn, string.Create(CultureInfo.InvariantCulture, $"{Name} {what}: {why}; tried again at {until:yyyy-MM-dd HH:mm:ss} UTC"));
    }

    // RFC 9773.
    private async Task AdviseAsync()
    {
        var given = status.Given!;
        if (given.RenewalId is not { } id || issuance.DeskOf(given.Directory) is not { } desk)
        {
            plan.NoAdvice();
            return;
        }

        try
        {
            using var place = await issuance.EnterAsync(stopping.Token).ConfigureAwait(false);
            var advice = await desk.AdviceAsync(id, stopping.Token).ConfigureAwait(false);
            if (advice is null) plan.NoAdvice();
            else if (plan.Follow(advice)) issuance.Say(LogLevel.Info, string.Create(CultureInfo.InvariantCulture, $"{Name}: {desk.Issuer.Name} wants it renewed between {advice.Start:yyyy-MM-dd HH:mm} and {advice.End:yyyy-MM-dd HH:mm} UTC; planned for {plan.RenewAt:yyyy-MM-dd HH:mm}{(advice.Explanation is { Length: > 0 and < 500 } why ? $"; why: {why}" : "")}"));
            status = status with { RenewAt = plan.RenewAt };
        }
        catch (AcmeException trouble)
        {
            plan.NoAdvice();
            issuance.Say(LogLevel.Debug, $"{Name}: {desk.Issuer.Name} says nothing about renewal: {trouble.Message}");
        }
    }

    private BackOff BackOffOf(Issuer issuer)
    {
        var key = issuer.Directory.AbsoluteUri;
        lock (backOffs)
        {
            if (!backOffs.TryGetValue(key, out var found)) backOffs[key] = found = new BackOff(TimeSpan.FromMinutes(1), TimeSpan.FromHours(6), time, issuance.Chance);
            return found;
        }
    }
}
