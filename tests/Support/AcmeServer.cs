// A CA that speaks ACME (RFC 8555), in this process: what it is sent is a request of HttpClient, and what it answers comes at
// once, so that a clock that is held decides about everything. Strict: signatures, nonces and addresses are checked. It can
// refuse nonces, fail, limit or hang at any request, and be asked what it has done.

using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weir.Tests.Support;

/// <summary>A CA. One request at a time is looked at.</summary>
public sealed class AcmeServer : HttpMessageHandler
{
    private readonly string home;
    private readonly Lock turn = new();
    private readonly Func<DateTimeOffset> now;
    private readonly HashSet<string> nonces = [];
    private readonly List<Account> accounts = [];
    private readonly List<Order> orders = [];
    private readonly ECDsa rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 root;
    private int made;

    public AcmeServer(Func<DateTimeOffset> now, string host = "ca.test")
    {
        this.now = now;
        home = $"https://{host}";
        var request = new CertificateRequest($"CN=Root of {host}", rootKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        root = request.CreateSelfSigned(now().AddDays(-1), now().AddDays(10_000));
    }

    public Uri Directory => new($"{home}/dir");

    public Random Chance { get; set; } = new(1);

    /// <summary>The share of good nonces that are refused.</summary>
    public double RefusedNonces { get; set; }

    public TimeSpan Life { get; set; } = TimeSpan.FromDays(90);

    /// <summary>Looks whether a name is ours: type, name, key authorization.</summary>
    public Func<string, string, string, bool> Look { get; set; } = static (_, _, _) => true;

    public string[] Offered { get; set; } = ["http-01", "tls-alpn-01", "dns-01"];

    /// <summary>Times that an order or authorization is looked at before it has moved on.</summary>
    public int Slowness { get; set; } = 1;

    /// <summary>The key of external accounts, by its name; null: none is wanted.</summary>
    public (string KeyId, byte[] Key)? Eab { get; set; }

    public Dictionary<string, string> Profiles { get; } = [];

    /// <summary>When certificates should be renewed; null: it does not say.</summary>
    public Func<(DateTimeOffset Start, DateTimeOffset End)>? Window { get; set; }

    public bool ListsOrders { get; set; } = true;

    /// <summary>Retry-After of all that is not at its end, in seconds.</summary>
    public int RetryAfter { get; set; }

    /// <summary>Called with each request's path before it is looked at: an answer in its stead, or null. May throw.</summary>
    public Func<string, Task<HttpResponseMessage?>>? Before { get; set; }

    /// <summary>Called with each request's path once it is done. May throw.</summary>
    public Action<string>? After { get; set; }

    public List<string> Requests { get; } = [];

    public int Orders => orders.Count;

    public int Accounts => accounts.Count;

    public int Certificates => orders.Count(static o => o.Pem is not null);

    /// <summary>What orders were asked with, the last one last.</summary>
    public List<JsonNode> Asked { get; } = [];

    public string?[] Contacts => [.. accounts.Select(static a => a.Contact)];

    public static HttpResponseMessage Problem(int status, string type, string detail, int retryAfter = 0)
    {
        var answer = new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(new JsonObject { ["type"] = $"urn:ietf:params:acme:error:{type}", ["detail"] = detail, ["status"] = status }.ToJsonString(), Encoding.UTF8, "application/problem+json") };
        if (retryAfter > 0) answer.Headers.TryAddWithoutValidation("Retry-After", retryAfter.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return answer;
    }

    public void ForgetAccounts() => accounts.Clear();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var path = request.RequestUri!.AbsolutePath;
        lock (turn) Requests.Add($"{request.Method} {path}");
        if (Before is not null && await Before(path).WaitAsync(cancellationToken) is { } instead) return instead;
        HttpResponseMessage answer;
        lock (turn) answer = Answer(request, path);
        if (request.Method != HttpMethod.Get) answer.Headers.TryAddWithoutValidation("Replay-Nonce", Nonce());
        After?.Invoke(path);
        return answer;
    }

    private string Nonce()
    {
        lock (turn)
        {
            var nonce = Base64Url.EncodeToString(BitConverter.GetBytes((long)++made * 7919));
            nonces.Add(nonce);
            return nonce;
        }
    }

    private HttpResponseMessage Answer(HttpRequestMessage request, string path)
    {
        if (path == "/dir") return Directories();
        if (path == "/nonce") return new HttpResponseMessage(HttpStatusCode.OK);
        if (path.StartsWith("/renewal/", StringComparison.Ordinal)) return Renewal(path[9..]);
        if (request.Method != HttpMethod.Post) return Problem(405, "malformed", "only POST");
        using var body = JsonDocument.Parse(request.Content!.ReadAsStringAsync().Result);
        var (head, payload) = (body.RootElement.GetProperty("protected").GetString()!, body.RootElement.GetProperty("payload").GetString()!);
        var protectedHead = JsonNode.Parse(Base64Url.DecodeFromChars(head))!;
        if (request.Content.Headers.ContentType?.MediaType != "application/jose+json") return Problem(415, "malformed", "application/jose+json is wanted");
        if ((string?)protectedHead["url"] != request.RequestUri!.AbsoluteUri) return Problem(401, "unauthorized", "the url is another");
        if (!nonces.Remove((string?)protectedHead["nonce"] ?? "")) return Problem(400, "badNonce", "not one of ours");
        if (Chance.NextDouble() < RefusedNonces) return Problem(400, "badNonce", "as it pleases us");
        var jwk = protectedHead["jwk"]?.ToJsonString();
        var account = jwk is null ? accounts.Find(a => a.Url == (string?)protectedHead["kid"]) : null;
        if (jwk is null && account is null) return Problem(400, "accountDoesNotExist", "no such account");
        using (var key = Key(jwk ?? account!.Jwk))
        {
            if (!key.VerifyData(Encoding.ASCII.GetBytes($"{head}.{payload}"), Base64Url.DecodeFromChars(body.RootElement.GetProperty("signature").GetString()), HashAlgorithmName.SHA256)) return Problem(400, "malformed", "the signature is wrong");
        }

        var asked = payload.Length == 0 ? null : JsonNode.Parse(Base64Url.DecodeFromChars(payload));
        return Route(path, jwk, account, asked);
    }

    private HttpResponseMessage Route(string path, string? jwk, Account? account, JsonNode? asked)
    {
        if (path == "/account" && jwk is not null) return Register(jwk, asked!);
        if (account is null) return Problem(400, "malformed", "kid is wanted");
        var parts = path.Split('/');
        if (path == "/order") return NewOrder(account, asked!);
        if (path.StartsWith("/account/", StringComparison.Ordinal))
        {
            if (parts.Length > 3) return Json(200, new JsonObject { ["orders"] = new JsonArray([.. orders.Where(o => o.Account == account && o.Status is "pending" or "ready" or "processing").Select(o => (JsonNode)$"{home}/order/{o.Id}")]) });
            if (asked is not null) account.Contact = (string?)asked["contact"]?[0];
            return AccountJson(200, account);
        }

        var order = orders.Find(o => o.Id.ToString(System.Globalization.CultureInfo.InvariantCulture) == parts[2]);
        if (order is null || order.Account != account) return Problem(404, "malformed", "no such thing");
        return parts[1] switch
        {
            "order" => OrderJson(200, order, looks: true),
            "authz" => AuthorizationJson(order),
            "challenge" => Challenged(order, parts[3]),
            "finalize" => Finalize(order, asked!),
            "certificate" when order.Pem is not null => new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(order.Pem, Encoding.ASCII, "application/pem-certificate-chain") },
            _ => Problem(404, "malformed", "no such thing"),
        };
    }

    private HttpResponseMessage Directories()
    {
        var meta = new JsonObject { ["externalAccountRequired"] = Eab is not null };
        if (Profiles.Count > 0) meta["profiles"] = new JsonObject(Profiles.Select(static p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value)));
        var all = new JsonObject { ["newNonce"] = $"{home}/nonce", ["newAccount"] = $"{home}/account", ["newOrder"] = $"{home}/order", ["meta"] = meta };
        if (Window is not null) all["renewalInfo"] = $"{home}/renewal";
        return Json(200, all);
    }

    private HttpResponseMessage Renewal(string id)
    {
        if (Window is null || !orders.Exists(o => o.RenewalId == id)) return Problem(404, "malformed", "no such certificate");
        var (start, end) = Window();
        var answer = Json(200, new JsonObject { ["suggestedWindow"] = new JsonObject { ["start"] = start.ToString("O"), ["end"] = end.ToString("O") }, ["explanationURL"] = "https://ca.test/why" });
        answer.Headers.TryAddWithoutValidation("Retry-After", "21600");
        return answer;
    }

    private HttpResponseMessage Register(string jwk, JsonNode asked)
    {
        if (accounts.Find(a => a.Jwk == jwk) is { } known) return AccountJson(200, known);
        if ((bool?)asked["termsOfServiceAgreed"] != true) return Problem(403, "userActionRequired", "the terms");
        if (Eab is { } eab)
        {
            if (asked["externalAccountBinding"] is not { } bound) return Problem(403, "externalAccountRequired", "no binding");
            var (head, payload) = ((string)bound["protected"]!, (string)bound["payload"]!);
            var inner = JsonNode.Parse(Base64Url.DecodeFromChars(head))!;
            var isGood = (string?)inner["alg"] == "HS256" && (string?)inner["kid"] == eab.KeyId && (string?)inner["url"] == $"{home}/account" && Encoding.UTF8.GetString(Base64Url.DecodeFromChars(payload)) == jwk
                && Base64Url.DecodeFromChars((string)bound["signature"]!).AsSpan().SequenceEqual(HMACSHA256.HashData(eab.Key, Encoding.ASCII.GetBytes($"{head}.{payload}")));
            if (!isGood) return Problem(403, "unauthorized", "the binding is wrong");
        }

        var account = new Account($"{home}/account/{accounts.Count + 1}", jwk) { Contact = (string?)asked["contact"]?[0] };
        accounts.Add(account);
        return AccountJson(201, account);
    }

    private HttpResponseMessage NewOrder(Account account, JsonNode asked)
    {
        var profile = (string?)asked["profile"];
        if (profile is not null && !Profiles.ContainsKey(profile)) return Problem(400, "invalidProfile", "no such profile");
        if ((string?)asked["replaces"] is { } replaces)
        {
            var old = orders.Find(o => o.RenewalId == replaces);
            if (old is null) return Problem(404, "malformed", "no such certificate");
            if (old.IsReplaced) return Problem(409, "alreadyReplaced", "again");
            old.IsReplaced = true;
        }

        Asked.Add(asked);
        var order = new Order(orders.Count + 1, account, (string)asked["identifiers"]![0]!["value"]!, (string)asked["identifiers"]![0]!["type"]!) { Token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)) };
        orders.Add(order);
        return OrderJson(201, order, looks: false);
    }

    private HttpResponseMessage Challenged(Order order, string type)
    {
        if (order.Challenge is null && order.Status == "pending") (order.Challenge, order.Looks) = (type, Slowness);
        return Json(200, ChallengeJson(order, type));
    }

    private HttpResponseMessage AuthorizationJson(Order order)
    {
        if (order.Challenge is not null && order.Status == "pending" && order.Looks-- <= 0)
        {
            var name = order.Name.StartsWith("*.", StringComparison.Ordinal) ? order.Name[2..] : order.Name;
            using var key = Key(order.Account.Jwk);
            var thumbprint = Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(order.Account.Jwk)));
            order.Status = Look(order.Challenge, name, $"{order.Token}.{thumbprint}") ? "ready" : "invalid";
        }

        var isWildcard = order.Name.StartsWith("*.", StringComparison.Ordinal);
        var document = new JsonObject
        {
            ["status"] = order.Status switch { "pending" => "pending", "invalid" => "invalid", _ => "valid" },
            ["identifier"] = new JsonObject { ["type"] = order.Kind, ["value"] = isWildcard ? order.Name[2..] : order.Name },
            ["challenges"] = new JsonArray([.. Offered.Where(o => !isWildcard || o == "dns-01").Select(o => (JsonNode)ChallengeJson(order, o))]),
        };
        if (isWildcard) document["wildcard"] = true;
        return Later(Json(200, document), order.Status == "pending");
    }

    private JsonObject ChallengeJson(Order order, string type)
    {
        var isChosen = order.Challenge == type;
        var document = new JsonObject { ["type"] = type, ["url"] = $"{home}/challenge/{order.Id}/{type}", ["token"] = order.Token, ["status"] = !isChosen ? "pending" : order.Status switch { "pending" => "processing", "invalid" => "invalid", _ => "valid" } };
        if (isChosen && order.Status == "invalid") document["error"] = new JsonObject { ["type"] = "urn:ietf:params:acme:error:incorrectResponse", ["detail"] = "something else was there" };
        return document;
    }

    private HttpResponseMessage Finalize(Order order, JsonNode asked)
    {
        if (order.Status != "ready") return Problem(403, "orderNotReady", order.Status);
        var request = CertificateRequest.LoadSigningRequest(Base64Url.DecodeFromChars((string)asked["csr"]!), HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
        var names = request.CertificateExtensions.OfType<X509SubjectAlternativeNameExtension>().Single();
        if (!names.EnumerateDnsNames().Concat(names.EnumerateIPAddresses().Select(static i => i.ToString())).SequenceEqual([order.Name])) return Problem(400, "badCSR", "other names");
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(root, true, false));
        var serial = RandomNumberGenerator.GetBytes(12);
        serial[0] &= 0x7f;
        serial[0] |= 0x40;
        using var leaf = request.Create(root.SubjectName, X509SignatureGenerator.CreateForECDsa(rootKey), now(), now() + Life, serial);
        order.Made = leaf.ExportCertificatePem() + "\n" + root.ExportCertificatePem() + "\n";
        order.RenewalId = $"{Base64Url.EncodeToString(root.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Single().SubjectKeyIdentifierBytes.Span)}.{Base64Url.EncodeToString(serial)}";
        (order.Status, order.Looks) = ("processing", Slowness);
        return OrderJson(200, order, looks: false);
    }

    private HttpResponseMessage OrderJson(int status, Order order, bool looks)
    {
        if (looks && order.Status == "processing" && order.Looks-- <= 0) (order.Status, order.Pem) = ("valid", order.Made);
        var document = new JsonObject
        {
            ["status"] = order.Status,
            ["identifiers"] = new JsonArray(new JsonObject { ["type"] = order.Kind, ["value"] = order.Name }),
            ["authorizations"] = new JsonArray($"{home}/authz/{order.Id}"),
            ["finalize"] = $"{home}/finalize/{order.Id}",
        };
        if (order.Status == "valid") document["certificate"] = $"{home}/certificate/{order.Id}";
        var answer = Later(Json(status, document), order.Status is "processing");
        answer.Headers.Location = new Uri($"{home}/order/{order.Id}");
        return answer;
    }

    private HttpResponseMessage Later(HttpResponseMessage answer, bool isLater)
    {
        if (isLater && RetryAfter > 0) answer.Headers.TryAddWithoutValidation("Retry-After", RetryAfter.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return answer;
    }

    private HttpResponseMessage AccountJson(int status, Account account)
    {
        var document = new JsonObject { ["status"] = "valid" };
        if (ListsOrders) document["orders"] = account.Url + "/orders";
        var answer = Json(status, document);
        answer.Headers.Location = new Uri(account.Url);
        return answer;
    }

    private static ECDsa Key(string jwk)
    {
        var node = JsonNode.Parse(jwk)!;
        return ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = Base64Url.DecodeFromChars((string)node["x"]!), Y = Base64Url.DecodeFromChars((string)node["y"]!) } });
    }

    private static HttpResponseMessage Json(int status, JsonNode body) => new((HttpStatusCode)status) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };

    private sealed record Account(string Url, string Jwk)
    {
        public string? Contact { get; set; }
    }

    private sealed record Order(int Id, Account Account, string Name, string Kind)
    {
        public string Status { get; set; } = "pending";

        public required string Token { get; init; }

        public string? Challenge { get; set; }

        public int Looks { get; set; }

        public string? Made { get; set; }

        public string? Pem { get; set; }

        public string? RenewalId { get; set; }

        public bool IsReplaced { get; set; }
    }
}
