// What a site asks of its clients: a certificate that one of these authorities has signed (RFC 8446 §4.3.2).

namespace Weir.Engine.Tls;

/// <summary>What clients show. Immutable.</summary>
/// <param name="Authorities">The file with the authorities' certificates, in PEM.</param>
/// <param name="Revoked">The file with their lists of revoked certificates, in PEM; null: none is looked at.</param>
/// <param name="IsRequired">Nobody is let in without.</param>
public sealed record ClientDemands(string Authorities, string? Revoked, bool IsRequired)
{
    private const int VerifyPeer = 1;
    private const int FailIfNone = 2;

    internal int Mode => IsRequired ? VerifyPeer | FailIfNone : VerifyPeer;

    /// <summary>Makes a context ask for it.</summary>
    /// <returns>Null, or what is wrong.</returns>
    internal unsafe string? ApplyTo(nint context)
    {
        const nuint CrlCheckAll = 0x4 | 0x8;
        OpenSsl.ERR_clear_error();
        var names = OpenSsl.SSL_load_client_CA_file(Authorities);
        if (names == 0 || OpenSsl.SSL_CTX_load_verify_locations(context, Authorities, null) != 1) return KeyedCertificate.Unopened(Authorities) ?? $"'{Authorities}' holds no certificate in PEM: {OpenSsl.TakeError()}";
        OpenSsl.SSL_CTX_set_client_CA_list(context, names);
        OpenSsl.SSL_CTX_set_verify(context, Mode, 0);
        if (Revoked is null) return null;
        var store = OpenSsl.SSL_CTX_get_cert_store(context);
        // Lists only: a certificate that stands there as well must not vouch for anybody.
        var lists = OpenSsl.X509_STORE_add_lookup(store, OpenSsl.X509_LOOKUP_file());
        if (OpenSsl.X509_load_crl_file(lists, Revoked, OpenSsl.FilePem) < 1) return KeyedCertificate.Unopened(Revoked) ?? $"'{Revoked}' holds no list of revoked certificates in PEM (-----BEGIN X509 CRL-----): {OpenSsl.TakeError()}";
        _ = OpenSsl.X509_STORE_set_flags(store, CrlCheckAll);
        return null;
    }
}
