// One certificate from one CA, from the first question to the file in the folder (RFC 8555 §7.4). Each step is written down
// before the next is taken, so that whoever comes after a crash goes on with the same key and the same order: the key before the
// order is asked for, the order before anything of it is shown, the certificate before the order is forgotten. Where a crash
// came between the CA's answer and its being written down, the order is looked for in the account's list, if the CA has one.
// Done under the name's lease, which is renewed on the way; each wait has an end.

using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Weir.Control.Certificates.Acme;
using Weir.Engine.Observe;

namespace Weir.Control.Certificates;

/// <summary>What is ordered.</summary>
/// <param name="Name">The name.</param>
/// <param name="KeyType">What kind of key it is to have.</param>
/// <param name="Ways">How it may be shown that the name is ours, in this order.</param>
/// <param name="Replaced">The one it replaces; null: the first.</param>
internal sealed record Wanted(string Name, KeyType KeyType, IReadOnlyList<IChallengeWay> Ways, GivenCertificate? Replaced);

/// <summary>Orders. One certificate at a time.</summary>
internal sealed class Ordering(CertificateFolder folder, AcmeAccount account, Wanted wanted, Lease lease, TimeProvider time, Action<LogLevel, string> say)
{
    /// <summary>How long a CA may take to look, and to sign.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>How long a CA may make us wait between two looks at what becomes of an order.</summary>
    public static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(60);

    private const int MostAuthorizations = 10;

    private readonly string name = wanted.Name;
    private readonly Issuer issuer = account.Client.Issuer;

    private string StatePath => Path.Combine(folder.NameFolder(name), $"order.{CertificateFolder.IdOf(issuer)}.json");

    private string KeyPath => Path.Combine(folder.NameFolder(name), $"order.{CertificateFolder.IdOf(issuer)}.key");

    private Identifier Identifier => new(IPAddress.TryParse(name, out _) ? "ip" : "dns", name);

    /// <summary>Orders, or goes on with an order; throws <see cref="AcmeException"/> where it comes to nothing for now.</summary>
    public async Task<GivenCertificate> RunAsync(CancellationToken stop)
    {
        if (Finished() is { } there) return there;
        try
        {
            return await OrderAsync(stop).ConfigureAwait(false);
        }
        catch (AcmeException trouble) when (trouble.Is("accountDoesNotExist"))
        {
            say(LogLevel.Warn, $"{issuer.Name} does not know our account any more: it is made anew");
            await account.ForgetAsync().ConfigureAwait(false);
            ForgetOrder();
            return await OrderAsync(stop).ConfigureAwait(false);
        }
    }

    // There is another one than that which is to be replaced: ours, and a crash came before its order was forgotten; or that of
    // another node, or of another CA.
    private GivenCertificate? Finished()
    {
        if (GivenCertificate.TryRead(folder, name) is not { } given || given.Digest == wanted.Replaced?.Digest) return null;
        ForgetOrder();
        return given;
    }

    private async Task<GivenCertificate> OrderAsync(CancellationToken stop)
    {
        await HoldAsync(account.EnsureAsync, stop).ConfigureAwait(false);
        var (url, order) = await TakeUpAsync(stop).ConfigureAwait(false) ?? await AskAsync(stop).ConfigureAwait(false);
        if (order.Status == "pending")
        {
            foreach (var authorization in (order.Authorizations ?? []).Take(MostAuthorizations)) await ShowAsync(authorization, stop).ConfigureAwait(false);
            order = await WaitAsync(url, static status => status is not "pending", "look whether the name is ours", stop).ConfigureAwait(false);
        }

        using var key = folder.ReadKey(KeyPath) ?? throw new AcmeException(TroubleKind.Own, $"the key of the order for {name} is lost");
        if (order.Status == "ready") order = await FinalizeAsync(url, order, key, stop).ConfigureAwait(false);
        if (order.Status == "processing") order = await WaitAsync(url, static status => status is not "processing", "sign", stop).ConfigureAwait(false);
        if (order.Status != "valid" || order.Certificate is null)
        {
            ForgetOrder();
            throw new AcmeException(TroubleKind.Refused, $"{issuer.Name} ends the order for {name}: {AcmeException.Words(order.Error, 0)}");
        }

        var chain = await HoldAsync(s => account.SeeAsync(order.Certificate, s), stop).ConfigureAwait(false);
        return Keep(chain.Body, key);
    }

    // The order that was under way, as the CA sees it now; null: there is none that can go on.
    private async Task<(Uri Url, OrderDocument Order)?> TakeUpAsync(CancellationToken stop)
    {
        var state = folder.ReadJson(StatePath, AcmeJson.Default.OrderState);
        using (var key = folder.ReadKey(KeyPath))
        {
            if (state is null || key is null || state.Account != account.Url || !state.Names.SequenceEqual([name]) || state.Profile != issuer.Profile)
            {
                ForgetOrder();
                return null;
            }
        }

        var url = state.Url is { } known ? new Uri(known) : await FindAsync(state, stop).ConfigureAwait(false);
        if (url is null) return null;
        try
        {
            var order = Read(await HoldAsync(s => account.SeeAsync(url, s), stop).ConfigureAwait(false));
            if (order.Status is "pending" or "ready" or "processing" or "valid")
            {
                say(LogLevel.Info, $"{name}: an order at {issuer.Name} that was interrupted goes on (it is {order.Status})");
                return (url, order);
            }

            say(LogLevel.Info, $"{name}: the order that was interrupted has come to nothing at {issuer.Name}{(order.Error is null ? "" : $": {AcmeException.Words(order.Error, 0)}")}");
        }
        catch (AcmeException trouble) when (trouble.Kind == TroubleKind.Refused && !trouble.Is("accountDoesNotExist"))
        {
            say(LogLevel.Info, $"{name}: {issuer.Name} does not know the order that was interrupted any more");
        }

        ForgetOrder();
        return null;
    }

    // Asked for, perhaps, and interrupted before the answer was written down.
    private async Task<Uri?> FindAsync(OrderState state, CancellationToken stop)
    {
        try
        {
            foreach (var url in await HoldAsync(account.OrdersAsync, stop).ConfigureAwait(false))
            {
                var order = Read(await HoldAsync(s => account.SeeAsync(url, s), stop).ConfigureAwait(false));
                if (order.Status is not ("pending" or "ready") || order.Identifiers is not [var one] || one != Identifier) continue;
                folder.WriteJson(StatePath, state with { Url = url.AbsoluteUri }, AcmeJson.Default.OrderState);
                return url;
            }
        }
        catch (AcmeException trouble) when (trouble.Kind == TroubleKind.Refused && !trouble.Is("accountDoesNotExist"))
        {
            // Not every CA keeps such a list.
        }

        return null;
    }

    private async Task<(Uri Url, OrderDocument Order)> AskAsync(CancellationToken stop)
    {
        say(LogLevel.Info, $"{name}: ordering from {issuer.Name}");
        CertificateFolder.MakeFolder(folder.NameFolder(name));
        using (var kept = folder.ReadKey(KeyPath))
        {
            if (kept?.Is(wanted.KeyType) != true)
            {
                using var key = PrivateKey.Make(wanted.KeyType);
                folder.WriteKey(KeyPath, key);
            }
        }

        var state = new OrderState(issuer.Directory.AbsoluteUri, account.Url, [name], null, issuer.Profile, time.GetUtcNow());
        folder.WriteJson(StatePath, state, AcmeJson.Default.OrderState);
        var answer = await AskAsync(Replaces, stop).ConfigureAwait(false);
        if (answer.Location is not { IsAbsoluteUri: true } url) throw new AcmeException(TroubleKind.Unreachable, $"{issuer.Name} takes an order and does not say where it is");
        folder.WriteJson(StatePath, state with { Url = url.AbsoluteUri }, AcmeJson.Default.OrderState);
        return (url, Read(answer));
    }

    // RFC 9773 §5: only the CA that gave it is told what is replaced.
    private string? Replaces => wanted.Replaced is { } replaced && replaced.Directory == issuer.Directory.AbsoluteUri ? replaced.RenewalId : null;

    private async Task<AcmeAnswer> AskAsync(string? replaces, CancellationToken stop)
    {
        var directory = await HoldAsync(account.Client.DirectoryAsync, stop).ConfigureAwait(false);
        if (issuer.Profile is { } profile && directory.Meta?.Profiles?.ContainsKey(profile) != true)
            throw new AcmeException(TroubleKind.Refused, $"{issuer.Name} has no profile '{profile}'{(directory.Meta?.Profiles is { Count: > 0 } has ? $": it has {string.Join(", ", has.Keys.Take(20))}" : "")}");
        if (directory.RenewalInfo is null) replaces = null;
        var request = JsonSerializer.SerializeToUtf8Bytes(new OrderRequest([Identifier], issuer.Profile, replaces), AcmeJson.Default.OrderRequest);
        try
        {
            return await HoldAsync(s => account.PostAsync(directory.NewOrder!, request, s), stop).ConfigureAwait(false);
        }
        catch (AcmeException trouble) when (replaces is not null && trouble.Kind == TroubleKind.Refused && !trouble.Is("accountDoesNotExist"))
        {
            // Replaced already, or not known any more: that is no reason to go without a certificate.
            return await AskAsync(null, stop).ConfigureAwait(false);
        }
    }

    private async Task ShowAsync(Uri url, CancellationToken stop)
    {
        var authorization = await SeeAsync(url, stop).ConfigureAwait(false);
        if (authorization.Status == "valid") return;
        if (authorization.Status != "pending" || authorization.Identifier is not { } identifier) throw NotShown(authorization, null);
        var (way, asked) = Choose(authorization);
        var challenge = new Challenge(identifier.Value.ToLowerInvariant(), authorization.Wildcard, asked.Token!, account.KeyAuthorization(asked.Token!));
        try
        {
            await HoldAsync(s => way.ShowAsync(challenge, s), stop).ConfigureAwait(false);
            say(LogLevel.Info, $"{name}: {way.Words(challenge)}");
            if (asked.Status == "pending") await HoldAsync(s => account.PostAsync(asked.Url!, "{}"u8.ToArray(), s), stop).ConfigureAwait(false);
            await WaitAsync(url, way.Type, stop).ConfigureAwait(false);
        }
        finally
        {
            await HideAsync(way, challenge).ConfigureAwait(false);
        }
    }

    // The way that stands first of those that the CA offers; one that the CA is looking at already stays.
    private (IChallengeWay Way, ChallengeDocument Asked) Choose(AuthorizationDocument authorization)
    {
        var offered = (authorization.Challenges ?? []).Where(static c => c.Url is not null && ChallengeAnswers.IsToken(c.Token)).ToArray();
        var fitting = wanted.Ways.Where(w => w.Fits(authorization.Identifier!.Value, authorization.Wildcard)).Select(w => (Way: w, Asked: Array.Find(offered, c => c.Type == w.Wire))).Where(static p => p.Asked is not null).ToArray();
        if (fitting.Length > 0)
        {
            var (way, asked) = Array.Find(fitting, static p => p.Asked!.Status == "processing") is { Way: not null } going ? going : fitting[0];
            return (way, asked!);
        }

        var ours = string.Join(", ", wanted.Ways.Select(static w => w.Wire));
        throw new AcmeException(TroubleKind.Refused, authorization.Wildcard
            ? $"{name} is a wildcard, which {issuer.Name} gives by dns-01 only: acme needs dns: {{ hook: … }} or dns: {{ rfc2136: … }}"
            : $"{issuer.Name} offers {string.Join(", ", offered.Select(static c => c.Type).Distinct())} for {name}, and what may be shown is {ours}");
    }

    private async Task HideAsync(IChallengeWay way, Challenge challenge)
    {
        try
        {
            await way.HideAsync(challenge, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is AcmeException or IOException or UnauthorizedAccessException)
        {
            say(LogLevel.Warn, $"{name}: what was shown for {way.Wire} cannot be taken away: {e.Message}");
        }
    }

    private async Task<AuthorizationDocument> SeeAsync(Uri url, CancellationToken stop) =>
        account.Client.Read(await HoldAsync(s => account.SeeAsync(url, s), stop).ConfigureAwait(false), AcmeJson.Default.AuthorizationDocument);

    private async Task WaitAsync(Uri url, ChallengeType type, CancellationToken stop)
    {
        var since = time.GetTimestamp();
        for (var turn = 0; ; turn++)
        {
            var answer = await HoldAsync(s => account.SeeAsync(url, s), stop).ConfigureAwait(false);
            var authorization = account.Client.Read(answer, AcmeJson.Default.AuthorizationDocument);
            if (authorization.Status == "valid") return;
            if (authorization.Status is not "pending") throw NotShown(authorization, type);
            await PauseAsync(since, turn, answer.RetryAfter, "look whether the name is ours", stop).ConfigureAwait(false);
        }
    }

    private AcmeException NotShown(AuthorizationDocument authorization, ChallengeType? type)
    {
        ForgetOrder();
        var problem = authorization.Challenges?.Select(static c => c.Error).FirstOrDefault(static e => e is not null);
        return new AcmeException(TroubleKind.NotShown, $"{issuer.Name} does not find that {name} is ours: {(problem is null ? $"the authorization is {authorization.Status}" : AcmeException.Words(problem, 0))}", problem, null) { Challenge = type };
    }

    private async Task<OrderDocument> WaitAsync(Uri url, Func<string?, bool> isOver, string what, CancellationToken stop)
    {
        var since = time.GetTimestamp();
        for (var turn = 0; ; turn++)
        {
            var answer = await HoldAsync(s => account.SeeAsync(url, s), stop).ConfigureAwait(false);
            var order = Read(answer);
            if (isOver(order.Status)) return order;
            await PauseAsync(since, turn, answer.RetryAfter, what, stop).ConfigureAwait(false);
        }
    }

    private async Task PauseAsync(long since, int turn, TimeSpan? told, string what, CancellationToken stop)
    {
        if (time.GetElapsedTime(since) > Patience) throw new AcmeException(TroubleKind.Unreachable, string.Create(CultureInfo.InvariantCulture, $"{issuer.Name} takes more than {Patience.TotalMinutes} minutes to {what}; the order is looked at again later"));
        var pause = told ?? TimeSpan.FromSeconds(Math.Min(1 << Math.Min(turn, 4), 10));
        if (pause < TimeSpan.FromSeconds(1)) pause = TimeSpan.FromSeconds(1);
        if (pause > LongestPoll) pause = LongestPoll;
        await HoldAsync(s => Task.Delay(pause, time, s), stop).ConfigureAwait(false);
    }

    private async Task<OrderDocument> FinalizeAsync(Uri url, OrderDocument order, PrivateKey key, CancellationToken stop)
    {
        if (order.Finalize is null) throw new AcmeException(TroubleKind.Unreachable, $"{issuer.Name} does not say where the order is finished");
        var request = key.Request("");
        request.CertificateExtensions.Add(OwnSignature.Names(name));
        var body = JsonSerializer.SerializeToUtf8Bytes(new FinalizeRequest(Base64Url.EncodeToString(request.CreateSigningRequest())), AcmeJson.Default.FinalizeRequest);
        try
        {
            return Read(await HoldAsync(s => account.PostAsync(order.Finalize, body, s), stop).ConfigureAwait(false));
        }
        catch (AcmeException trouble) when (trouble.Is("orderNotReady"))
        {
            // It was finished by a question whose answer was lost.
            var now = Read(await HoldAsync(s => account.SeeAsync(url, s), stop).ConfigureAwait(false));
            return now.Status is "processing" or "valid" ? now : throw new AcmeException(trouble.Kind, trouble.Message);
        }
        catch (AcmeException trouble) when (trouble.Kind == TroubleKind.Refused && !trouble.Is("accountDoesNotExist"))
        {
            ForgetOrder();
            throw;
        }
    }

    private GivenCertificate Keep(byte[] chain, PrivateKey key)
    {
        using (var leaf = GivenCertificate.Check(chain, name, out var trouble))
        {
            if (leaf is not null && !key.Fits(leaf)) trouble = "it is for another key";
            else if (leaf is not null && leaf.NotAfter.ToUniversalTime() <= time.GetUtcNow().UtcDateTime) trouble = "it has expired";
            else if (leaf is not null) trouble = "";
            if (trouble.Length > 0)
            {
                ForgetOrder();
                throw new AcmeException(TroubleKind.Refused, $"the certificate that {issuer.Name} gives for {name} cannot be used: {trouble}");
            }

            // Who gave it first: without its certificate that says nothing.
            var digest = leaf!.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256).ToLowerInvariant();
            folder.WriteJson(Path.Combine(folder.NameFolder(name), "certificate.json"), new CertificateState(digest, issuer.Name, issuer.Directory.AbsoluteUri, time.GetUtcNow()), AcmeJson.Default.CertificateState);
        }

        using var both = OwnSignature.Join(Certificates(chain), key);
        folder.Write(folder.CertificatePath(name), both.Span);
        ForgetOrder();
        return GivenCertificate.TryRead(folder, name) ?? throw new AcmeException(TroubleKind.Own, $"the certificate for {name} cannot be read where it was written");
    }

    // Nothing but certificates is taken from a CA (RFC 8555 §11.4).
    private static byte[] Certificates(ReadOnlySpan<byte> pem)
    {
        var text = new StringBuilder();
        for (; System.Security.Cryptography.PemEncoding.TryFindUtf8(pem, out var block); pem = pem[block.Location.End..])
        {
            if (pem[block.Label].SequenceEqual("CERTIFICATE"u8)) text.Append(Encoding.ASCII.GetString(pem[block.Location])).Append('\n');
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    // The order first: a key alone is used for the next.
    private void ForgetOrder()
    {
        folder.Delete(StatePath);
        folder.Delete(KeyPath);
    }

    private OrderDocument Read(AcmeAnswer answer) => account.Client.Read(answer, AcmeJson.Default.OrderDocument);

    private Task HoldAsync(Func<CancellationToken, Task> work, CancellationToken stop) => HoldAsync(async s =>
    {
        await work(s).ConfigureAwait(false);
        return true;
    }, stop);

    // The lease is renewed while something is waited for; where it is lost, what is under way ends.
    private async Task<T> HoldAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken stop)
    {
        Renew();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var task = work(ends.Token);
        try
        {
            while (!task.IsCompleted)
            {
                using var over = new CancellationTokenSource();
                if (await Task.WhenAny(task, Task.Delay(Lease.RenewEvery, time, over.Token)).ConfigureAwait(false) != task) Renew();
                over.Cancel();
            }
        }
        catch
        {
            ends.Cancel();
            await task.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).ConfigureAwait(false);
            throw;
        }

        return await task.ConfigureAwait(false);
    }

    private void Renew()
    {
        if (lease.IsDue && !lease.TryRenew()) throw new AcmeException(TroubleKind.Own, $"another node has taken the order for {name} over");
    }
}
