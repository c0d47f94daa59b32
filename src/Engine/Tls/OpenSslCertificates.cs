// OpenSSL's interface as far as certificates, their keys and what vouches for them go. The same rules as in OpenSsl.cs: every
// pointer comes from a span or a local of the length that is passed beside it, or is OpenSSL's own.

using System.Runtime.InteropServices;

namespace Weir.Engine.Tls;

internal static unsafe partial class OpenSslCertificates
{
    private const string Ssl = "libssl.so.3";
    private const string Crypto = "libcrypto.so.3";

    [LibraryImport(Crypto, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint BIO_new_file(string file, string mode);

    [LibraryImport(Crypto)]
    public static partial int BIO_free(nint bio);

    [LibraryImport(Crypto)]
    public static partial nint PEM_read_bio_X509(nint bio, nint into, delegate* unmanaged<byte*, int, int, int*, int> passphrase, int* argument);

    [LibraryImport(Crypto)]
    public static partial nint PEM_read_bio_PrivateKey(nint bio, nint into, delegate* unmanaged<byte*, int, int, int*, int> passphrase, int* argument);

    [LibraryImport(Crypto)]
    public static partial void X509_free(nint certificate);

    [LibraryImport(Crypto)]
    public static partial int i2d_X509(nint certificate, byte** into);

    [LibraryImport(Crypto)]
    public static partial nint d2i_X509(nint into, byte** bytes, nint length);

    [LibraryImport(Crypto)]
    public static partial int X509_check_private_key(nint certificate, nint key);

    [LibraryImport(Crypto)]
    public static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Crypto)]
    public static partial nint OPENSSL_sk_new_null();

    [LibraryImport(Crypto)]
    public static partial int OPENSSL_sk_push(nint stack, nint item);

    [LibraryImport(Crypto)]
    public static partial void OPENSSL_sk_free(nint stack);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_use_cert_and_key(nint context, nint certificate, nint key, nint chain, int overwrites);

    [LibraryImport(Crypto)]
    public static partial nint X509_STORE_new();

    [LibraryImport(Crypto)]
    public static partial void X509_STORE_free(nint store);

    [LibraryImport(Crypto)]
    public static partial int X509_STORE_set_default_paths(nint store);

    [LibraryImport(Crypto)]
    public static partial nint X509_STORE_CTX_new();

    [LibraryImport(Crypto)]
    public static partial void X509_STORE_CTX_free(nint context);

    [LibraryImport(Crypto)]
    public static partial int X509_STORE_CTX_init(nint context, nint store, nint certificate, nint untrusted);

    [LibraryImport(Crypto)]
    public static partial int X509_STORE_CTX_get1_issuer(nint* issuer, nint context, nint certificate);

    [LibraryImport(Crypto)]
    public static partial int X509_STORE_add_cert(nint store, nint certificate);

    [LibraryImport(Crypto)]
    public static partial nint EVP_sha1();

    [LibraryImport(Crypto)]
    public static partial nint OCSP_cert_to_id(nint digest, nint certificate, nint issuer);

    [LibraryImport(Crypto)]
    public static partial void OCSP_CERTID_free(nint id);

    [LibraryImport(Crypto)]
    public static partial nint OCSP_REQUEST_new();

    [LibraryImport(Crypto)]
    public static partial void OCSP_REQUEST_free(nint request);

    [LibraryImport(Crypto)]
    public static partial nint OCSP_request_add0_id(nint request, nint id);

    [LibraryImport(Crypto)]
    public static partial int i2d_OCSP_REQUEST(nint request, byte** into);

    [LibraryImport(Crypto)]
    public static partial nint d2i_OCSP_RESPONSE(nint into, byte** bytes, nint length);

    [LibraryImport(Crypto)]
    public static partial void OCSP_RESPONSE_free(nint response);

    [LibraryImport(Crypto)]
    public static partial int OCSP_response_status(nint response);

    [LibraryImport(Crypto)]
    public static partial nint OCSP_response_status_str(nint status);

    [LibraryImport(Crypto)]
    public static partial nint OCSP_response_get1_basic(nint response);

    [LibraryImport(Crypto)]
    public static partial void OCSP_BASICRESP_free(nint basic);

    [LibraryImport(Crypto)]
    public static partial int OCSP_basic_verify(nint basic, nint certificates, nint store, nuint flags);

    [LibraryImport(Crypto)]
    public static partial int OCSP_resp_find_status(nint basic, nint id, int* status, int* reason, nint* revokedAt, nint* thisUpdate, nint* nextUpdate);

    [LibraryImport(Crypto)]
    public static partial int OCSP_check_validity(nint thisUpdate, nint nextUpdate, nint slack, nint mostAge);

    [LibraryImport(Crypto)]
    public static partial int ASN1_TIME_diff(int* days, int* seconds, nint from, nint to);

    [LibraryImport(Crypto)]
    public static partial nint X509_get0_notAfter(nint certificate);

    public const int CtrlStatusCallback = 63;
    public const int CtrlServerNameCallback = 53;
    public const int CtrlStatusResponse = 71;

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_callback_ctrl(nint context, int command, delegate* unmanaged<nint, nint, int> callback);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_callback_ctrl(nint context, int command, delegate* unmanaged<nint, int*, nint, int> callback);

    [LibraryImport(Ssl)]
    public static partial nint SSL_ctrl(nint ssl, int command, nint number, void* pointer);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_certificate(nint ssl);

    [LibraryImport(Crypto)]
    public static partial void* CRYPTO_malloc(nuint length, byte* file, int line);

    /// <summary>The longest bytes of a certificate that are looked at.</summary>
    private const int MostBytes = 1 << 20;

    /// <summary>A certificate's bytes (DER).</summary>
    public static byte[] Bytes(nint certificate)
    {
        var length = i2d_X509(certificate, null);
        if (length is <= 0 or > MostBytes) return [];
        var bytes = new byte[length];
        fixed (byte* at = bytes)
        {
            var to = at;
            _ = i2d_X509(certificate, &to);
        }

        return bytes;
    }

    /// <summary>A certificate of these bytes, to be freed; 0: it is none.</summary>
    public static nint Parse(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* at = bytes)
        {
            var from = at;
            return d2i_X509(0, &from, bytes.Length);
        }
    }
}
