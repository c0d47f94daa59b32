// Whether the machine knows who issued a certificate: only then is a chain whole that ends there.

namespace Weir.Engine.Tls;

/// <summary>The certificates that the machine trusts. Any thread; the disk may be read.</summary>
public static unsafe class SystemTrust
{
    private static readonly Lock Turn = new();
    private static nint store;

    /// <summary>Whether the issuer of a certificate is one of them.</summary>
    /// <param name="certificate">DER.</param>
    public static bool KnowsIssuerOf(ReadOnlySpan<byte> certificate)
    {
        lock (Turn)
        {
            if (store == 0)
            {
                store = OpenSslCertificates.X509_STORE_new();
                _ = OpenSslCertificates.X509_STORE_set_default_paths(store);
            }

            var subject = OpenSslCertificates.Parse(certificate);
            var context = OpenSslCertificates.X509_STORE_CTX_new();
            nint issuer = 0;
            var isKnown = subject != 0 && OpenSslCertificates.X509_STORE_CTX_init(context, store, subject, 0) == 1 && OpenSslCertificates.X509_STORE_CTX_get1_issuer(&issuer, context, subject) == 1;
            if (issuer != 0) OpenSslCertificates.X509_free(issuer);
            OpenSslCertificates.X509_STORE_CTX_free(context);
            if (subject != 0) OpenSslCertificates.X509_free(subject);
            OpenSsl.ERR_clear_error();
            return isKnown;
        }
    }
}
