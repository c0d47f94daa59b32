// Of OpenSSL's interface what only the client's side needs: trust, names, sessions.
// In bounds: every pointer here comes from a span or a local of the length that is passed beside it, or is OpenSSL's own.

using System.Runtime.InteropServices;

namespace Weir.Engine.Tls;

internal static unsafe partial class OpenSsl
{
    public const int VerifyNone = 0;
    public const int VerifyPeer = 1;

    // SSL_SESS_CACHE_CLIENT, NO_INTERNAL: they are ours to keep.
    public const int CacheClientOutside = 0x1 | 0x300;

    public const int ControlHostName = 55;

    // X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NEVER_CHECK_SUBJECT: a common name is nobody's word (RFC 9525 §2).
    public const uint WholeNames = 0x4 | 0x20;

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_default_verify_paths(nint context);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SSL_CTX_load_verify_file(nint context, string file);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_alpn_protos(nint context, byte* protocols, uint length);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_sess_set_new_cb(nint context, delegate* unmanaged<nint, nint, int> callback);

    [LibraryImport(Ssl)]
    public static partial nint SSL_ctrl(nint ssl, int command, nint number, void* pointer);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get0_param(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_free_buffers(nint ssl);

    [LibraryImport(Ssl)]
    public static partial byte* SSL_rstate_string(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_verify_result(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_set_session(nint ssl, nint session);

    [LibraryImport(Ssl)]
    public static partial nint SSL_SESSION_dup(nint session);

    [LibraryImport(Ssl)]
    public static partial void SSL_SESSION_free(nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_SESSION_is_resumable(nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_SESSION_get_protocol_version(nint session);

    [LibraryImport(Crypto)]
    public static partial void X509_VERIFY_PARAM_set_hostflags(nint parameters, uint flags);

    [LibraryImport(Crypto)]
    public static partial int X509_VERIFY_PARAM_set1_host(nint parameters, byte* name, nuint length);

    [LibraryImport(Crypto)]
    public static partial int X509_VERIFY_PARAM_set1_ip(nint parameters, byte* ip, nuint length);

    [LibraryImport(Crypto)]
    public static partial nint X509_verify_cert_error_string(nint result);

    [LibraryImport(Crypto)]
    public static partial nint X509_get_default_cert_file();

    [LibraryImport(Crypto)]
    public static partial nint X509_get_default_cert_dir();

    [LibraryImport(Crypto)]
    public static partial nint X509_get_default_cert_file_env();

    [LibraryImport(Crypto)]
    public static partial nint X509_get_default_cert_dir_env();
}
