// OpenSSL's interface, as far as the generator's clients need it: 3.0 or newer, looked for when the first one speaks TLS. In
// bounds: every pointer comes from a span or a local of the length that is passed beside it, or is OpenSSL's own.

using System.Runtime.InteropServices;

namespace Weir.Bench.Load;

internal static unsafe partial class OpenSsl
{
    public const int WantRead = 2;
    public const int WantWrite = 3;

    /// <summary>The peer said that it ends.</summary>
    public const int ZeroReturn = 6;

    public const int CtrlMode = 33;
    public const int CtrlReadAhead = 41;
    public const int CtrlServerName = 55;
    public const int CtrlGroupsList = 92;
    public const int CtrlMinVersion = 123;
    public const int Tls13 = 0x0304;

    // SSL_MODE_ENABLE_PARTIAL_WRITE, ACCEPT_MOVING_WRITE_BUFFER, RELEASE_BUFFERS.
    public const int Mode = 0x1 | 0x2 | 0x10;

    /// <summary>An end without a close_notify is an end: OpenSSL 3.0 calls it an error otherwise.</summary>
    public const ulong IgnoreUnexpectedEof = 1 << 7;

    private const string Ssl = "libssl.so.3";
    private const string Crypto = "libcrypto.so.3";

    [LibraryImport(Ssl)]
    public static partial nint TLS_client_method();

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_new(nint method);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_ctrl(nint context, int command, nint number, void* pointer);

    [LibraryImport(Ssl)]
    public static partial ulong SSL_CTX_set_options(nint context, ulong options);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_ciphersuites(nint context, byte* names);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_set_default_read_buffer_len(nint context, nuint length);

    [LibraryImport(Ssl)]
    public static partial nint SSL_new(nint context);

    [LibraryImport(Ssl)]
    public static partial void SSL_free(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_ctrl(nint ssl, int command, nint number, void* pointer);

    [LibraryImport(Ssl)]
    public static partial int SSL_set_fd(nint ssl, int descriptor);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_connect_state(nint ssl);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_shutdown(nint ssl, int mode);

    [LibraryImport(Ssl)]
    public static partial int SSL_set_session(nint ssl, nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_session_reused(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get1_session(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_SESSION_is_resumable(nint session);

    [LibraryImport(Ssl)]
    public static partial void SSL_SESSION_free(nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_read_ex(nint ssl, byte* into, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    public static partial int SSL_write_ex(nint ssl, byte* bytes, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    public static partial int SSL_get_error(nint ssl, int result);

    [LibraryImport(Crypto)]
    public static partial void ERR_clear_error();
}
