// What ACME says, as JSON (RFC 8555 §7, RFC 9773 §4.2). Whatever is missing is null; whoever reads asks for what is needed.

using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Control.Certificates.Acme;

internal sealed record DirectoryDocument(Uri? NewNonce, Uri? NewAccount, Uri? NewOrder, Uri? RenewalInfo, DirectoryMeta? Meta);

internal sealed record DirectoryMeta(bool ExternalAccountRequired, Dictionary<string, string>? Profiles);

internal sealed record AccountRequest(bool TermsOfServiceAgreed, string[]? Contact, JsonElement? ExternalAccountBinding);

internal sealed record AccountDocument(string? Status, string[]? Contact, Uri? Orders);

internal sealed record OrdersDocument(Uri[]? Orders);

internal sealed record Identifier(string Type, string Value);

internal sealed record OrderRequest(Identifier[] Identifiers, string? Profile, string? Replaces);

internal sealed record OrderDocument(string? Status, Identifier[]? Identifiers, Uri[]? Authorizations, Uri? Finalize, Uri? Certificate, Problem? Error);

internal sealed record AuthorizationDocument(string? Status, Identifier? Identifier, ChallengeDocument[]? Challenges, bool Wildcard);

internal sealed record ChallengeDocument(string? Type, Uri? Url, string? Status, string? Token, Problem? Error);

internal sealed record FinalizeRequest(string Csr);

internal sealed record RenewalInfoDocument(RenewalWindow? SuggestedWindow, [property: JsonPropertyName("explanationURL")] string? ExplanationUrl);

internal sealed record RenewalWindow(DateTimeOffset Start, DateTimeOffset End);

/// <summary>A problem (RFC 7807).</summary>
internal sealed record Problem(string? Type, string? Detail, int? Status, Problem[]? Subproblems, Identifier? Identifier);

/// <summary>An account, as the folder keeps it.</summary>
internal sealed record AccountState(string Directory, string Url, string? Contact);

/// <summary>An order under way, as the folder keeps it; without a URL while it is being asked for.</summary>
internal sealed record OrderState(string Directory, string Account, string[] Names, string? Url, string? Profile, DateTimeOffset Since);

/// <summary>Who gave a certificate, as the folder keeps it; the digest is the certificate's.</summary>
internal sealed record CertificateState(string Digest, string Issuer, string Directory, DateTimeOffset Since);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DirectoryDocument))]
[JsonSerializable(typeof(AccountRequest))]
[JsonSerializable(typeof(AccountDocument))]
[JsonSerializable(typeof(OrdersDocument))]
[JsonSerializable(typeof(OrderRequest))]
[JsonSerializable(typeof(OrderDocument))]
[JsonSerializable(typeof(AuthorizationDocument))]
[JsonSerializable(typeof(FinalizeRequest))]
[JsonSerializable(typeof(RenewalInfoDocument))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(AccountState))]
[JsonSerializable(typeof(OrderState))]
[JsonSerializable(typeof(CertificateState))]
internal sealed partial class AcmeJson : JsonSerializerContext;
