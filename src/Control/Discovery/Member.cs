// One endpoint as somebody hands it in: the configuration, a source, the admin API. Several may hand in the same one.

using Weir.Engine.Transports;

namespace Weir.Control.Discovery;

/// <summary>An endpoint as it is declared. Immutable.</summary>
/// <param name="Url">Scheme, authority and path.</param>
/// <param name="Addresses">Where it listens; empty: those known so far stay.</param>
public sealed record Member(Uri Url, NetworkAddress[] Addresses)
{
    /// <summary>The largest weight.</summary>
    public const int MostWeight = 1_000;

    /// <summary>The last of the backups.</summary>
    public const int MostTier = 9;

    /// <summary>Scheme and authority: with how its upstream speaks TLS, what it is the same one by.</summary>
    public string Identity { get; } = EndpointUrl.Identity(Url);

    /// <summary>What people call it.</summary>
    public string Name { get; init; } = EndpointUrl.Name(Url);

    /// <summary>The Host that belongs to it, for `host: endpoint`.</summary>
    public string Authority { get; init; } = EndpointUrl.Authority(Url);

    /// <summary>The name, or address, that its certificate is for; null: it is not spoken to over TLS.</summary>
    public string? CertifiedName { get; init; } = EndpointUrl.CertifiedName(Url);

    /// <summary>Whether it was given by a name: then it is one of several sites most often, if it speaks TLS.</summary>
    public bool IsNamed { get; init; } = AddressFollower.IsName(Url);

    /// <summary>The path put before what is forwarded; no trailing slash.</summary>
    public string Prefix { get; } = EndpointUrl.Prefix(Url);

    /// <summary>Its share relative to its siblings; 0: none.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>0, or of the backups 1 to 9.</summary>
    public int Tier { get; init; }
}
