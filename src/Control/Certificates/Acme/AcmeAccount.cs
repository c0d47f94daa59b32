// An account with a CA (RFC 8555 §7.3): found in the folder, else found again at the CA by its key, else made. The key is
// written before the CA is told of it, so that a crash leaves no account that nobody can use. One account for each directory
// and external account, for all names and all nodes.

using System.Security.Cryptography;
using System.Text.Json;

namespace Weir.Control.Certificates.Acme;

/// <summary>Requests of one account. Any thread.</summary>
internal sealed class AcmeAccount(AcmeClient client, CertificateFolder folder, TimeProvider time, LeaseOwner owner, Action<string> say) : IDisposable
{
    private readonly SemaphoreSlim turn = new(1);
    private PrivateKey? key;
    private AccountState? state;

    public AcmeClient Client { get; } = client;

    /// <summary>What shows that a token is answered by this account.</summary>
    public string KeyAuthorization(string token) => $"{token}.{Jws.Thumbprint(Key)}";

    /// <summary>Its URL, as orders remember it.</summary>
    public string Url => state!.Url;

    private ECDsa Key => (ECDsa)key!.Algorithm;

    /// <summary>Makes sure that there is an account.</summary>
    public async Task EnsureAsync(CancellationToken stop)
    {
        await turn.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            if (state is not null && state.Contact == Contact) return;
            await OpenAsync(stop).ConfigureAwait(false);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>The CA does not know it: the next <see cref="EnsureAsync"/> makes it again, with the same key.</summary>
    public async Task ForgetAsync()
    {
        await turn.WaitAsync().ConfigureAwait(false);
        folder.Delete(StatePath);
        state = null;
        turn.Release();
    }

    public Task<AcmeAnswer> SeeAsync(Uri url, CancellationToken stop) => Client.PostAsync(url, Key, Url, [], stop);

    public Task<AcmeAnswer> PostAsync(Uri url, byte[] payload, CancellationToken stop) => Client.PostAsync(url, Key, Url, payload, stop);

    /// <summary>Orders of this account that are not at their end, where the CA tells (§7.1.2.1); only the first of them.</summary>
    public async Task<Uri[]> OrdersAsync(CancellationToken stop)
    {
        const int Most = 32;
        var account = Client.Read(await SeeAsync(new Uri(Url), stop).ConfigureAwait(false), AcmeJson.Default.AccountDocument);
        if (account.Orders is null) return [];
        var orders = Client.Read(await SeeAsync(account.Orders, stop).ConfigureAwait(false), AcmeJson.Default.OrdersDocument).Orders ?? [];
        return [.. orders.TakeLast(Most).Reverse()];
    }

    public void Dispose()
    {
        key?.Dispose();
        turn.Dispose();
    }

    private string Folder => folder.AccountFolder(Client.Issuer);

    private string StatePath => Path.Combine(Folder, "account.json");

    private string KeyPath => Path.Combine(Folder, "account.key");

    private string? Contact => Client.Issuer.Email is { } email ? $"mailto:{email}" : null;

    private async Task OpenAsync(CancellationToken stop)
    {
        CertificateFolder.MakeFolder(Folder);
        if (TryRead()) return;
        var lease = new Lease(Folder, owner, time);
        for (var waits = 0; !lease.TryTake(out var holder); waits++)
        {
            if (waits == 100) throw new AcmeException(TroubleKind.Own, $"another node ({holder}) is making the account at {Client.Issuer.Name}");
            await Task.Delay(TimeSpan.FromSeconds(2), time, stop).ConfigureAwait(false);
            if (TryRead()) return;
        }

        try
        {
            await OpenHeldAsync(stop).ConfigureAwait(false);
        }
        finally
        {
            lease.Release();
        }
    }

    private bool TryRead()
    {
        if (folder.ReadJson(StatePath, AcmeJson.Default.AccountState) is not { Url: not null } known || known.Contact != Contact || known.Directory != Client.Issuer.Directory.AbsoluteUri) return false;
        if (folder.ReadKey(KeyPath) is not { Algorithm: ECDsa } found) return false;
        (key, state) = (found, known);
        return true;
    }

    private async Task OpenHeldAsync(CancellationToken stop)
    {
        if (TryRead()) return;
        var known = folder.ReadJson(StatePath, AcmeJson.Default.AccountState);
        key = folder.ReadKey(KeyPath);
        if (key is not { Algorithm: ECDsa })
        {
            key = PrivateKey.Make(KeyType.EcdsaP256);
            folder.WriteKey(KeyPath, key);
            known = null;
        }

        if (known?.Url is { } url && known.Directory == Client.Issuer.Directory.AbsoluteUri)
        {
            // The address has changed.
            await Client.PostAsync(new Uri(url), Key, url, new AccountRequest(true, Contact is null ? [] : [Contact], null), AcmeJson.Default.AccountRequest, stop).ConfigureAwait(false);
            say($"{Client.Issuer.Name} writes to {Client.Issuer.Email ?? "nobody"} from now on");
        }
        else
        {
            url = await RegisterAsync(stop).ConfigureAwait(false);
        }

        var made = new AccountState(Client.Issuer.Directory.AbsoluteUri, url, Contact);
        folder.WriteJson(StatePath, made, AcmeJson.Default.AccountState);
        state = made;
    }

    private async Task<string> RegisterAsync(CancellationToken stop)
    {
        var directory = await Client.DirectoryAsync(stop).ConfigureAwait(false);
        if (Client.Issuer.Eab is null && directory.Meta?.ExternalAccountRequired == true) throw new AcmeException(TroubleKind.Refused, $"{Client.Issuer.Name} wants an external account: give the issuer eab: {{ kid, key }}");
        var request = new AccountRequest(true, Contact is null ? null : [Contact], Binding(directory.NewAccount!));
        var answer = await Client.PostAsync(directory.NewAccount!, Key, null, request, AcmeJson.Default.AccountRequest, stop).ConfigureAwait(false);
        if (answer.Location is not { IsAbsoluteUri: true }) throw new AcmeException(TroubleKind.Unreachable, $"{Client.Issuer.Name} makes an account and does not say where it is");
        say(answer.Status == 201 ? $"an account with {Client.Issuer.Name} is made, and its terms are agreed to" : $"the account with {Client.Issuer.Name} is found again");
        return answer.Location.AbsoluteUri;
    }

    private JsonElement? Binding(Uri url)
    {
        if (Client.Issuer.Eab is not { } eab) return null;
        var secret = Secret(eab.Key) ?? throw new AcmeException(TroubleKind.Own, $"the key of eab of {Client.Issuer.Name} is not base64url");
        using var bound = JsonDocument.Parse(Jws.Bind(Key, eab.KeyId, secret, url));
        CryptographicOperations.ZeroMemory(secret);
        return bound.RootElement.Clone();
    }

    /// <summary>An external account's key; null: it is not base64url. Some give it with the padding of plain base64.</summary>
    internal static byte[]? Secret(string text)
    {
        try
        {
            var bytes = System.Buffers.Text.Base64Url.DecodeFromChars(text.TrimEnd('=').Replace('+', '-').Replace('/', '_'));
            return bytes.Length > 0 ? bytes : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
