// OpenSSL's interface, as far as it is used, and nothing else. None of these skips the collector's transition: a handshake
// computes for as long as a collection may not wait. The oldest version is 3.0; what newer ones bring is looked for by name.
// In bounds: every pointer here comes from a span or a local of the length that is passed beside it, or is OpenSSL's own.

using System.Runtime.InteropServices;

namespace Weir.Engine.Tls;

internal static unsafe partial class OpenSsl
{
    public const int ErrorSsl = 1;
    public const int ErrorWantRead = 2;
    public const int ErrorWantWrite = 3;
    public const int ErrorWantLookup = 4;
    public const int ErrorSyscall = 5;
    public const int ErrorZeroReturn = 6;
    public const int ErrorWantClientHello = 11;

    public const int CtrlMode = 33;
    public const int CtrlReadAhead = 41;
    public const int CtrlSessionCacheSize = 42;
    public const int CtrlSessionCacheMode = 44;
    public const int CtrlServerName = 55;
    public const int CtrlGroups = 92;
    public const int CtrlMinVersion = 123;
    public const int CtrlMaxVersion = 124;

    public const int Tls12 = 0x0303;
    public const int Tls13 = 0x0304;

    // SSL_MODE_ENABLE_PARTIAL_WRITE, ACCEPT_MOVING_WRITE_BUFFER, RELEASE_BUFFERS.
    public const int Mode = 0x1 | 0x2 | 0x10;

    public const ulong OptionNoTicket = 1 << 14;
    public const ulong OptionNoCompression = 1 << 17;
    public const ulong OptionPrioritizeChaCha = 1 << 21;
    public const ulong OptionServerPreference = 1 << 22;
    public const ulong OptionNoAntiReplay = 1 << 24;
    public const ulong OptionNoRenegotiation = 1 << 30;

    public const int BioRead = 1;
    public const int BioWrite = 2;
    public const int BioRetry = 8;
    public const int BioAll = 15;
    public const int BioCtrlEof = 2;
    public const int BioCtrlFlush = 11;
    public const int BioSourceSink = 0x400;

    public const int FilePem = 1;

    // SSL_SESS_CACHE_…
    public const int CacheServer = 0x2;
    public const int CacheNoAutoClear = 0x80;

    public const uint OctetString = 5;
    public const uint Utf8String = 4;

    private const string Ssl = "libssl.so.3";
    private const string Crypto = "libcrypto.so.3";

    [LibraryImport(Ssl)]
    public static partial nint TLS_server_method();

    [LibraryImport(Ssl)]
    public static partial nint TLS_client_method();

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_new(nint method);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_free(nint context);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_ctrl(nint context, int command, nint number, void* pointer);

    [LibraryImport(Ssl)]
    public static partial ulong SSL_CTX_set_options(nint context, ulong options);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SSL_CTX_set_cipher_list(nint context, string ciphers);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_set_client_hello_cb(nint context, delegate* unmanaged<nint, int*, nint, int> callback, nint argument);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_set_alpn_select_cb(nint context, delegate* unmanaged<nint, byte**, byte*, byte*, uint, nint, int> callback, nint argument);

    [LibraryImport(Ssl)]
    public static partial int SSL_client_hello_get0_ext(nint ssl, uint type, byte** bytes, nuint* length);

    [LibraryImport(Ssl)]
    public static partial nint SSL_set_SSL_CTX(nint ssl, nint context);

    [LibraryImport(Ssl)]
    public static partial nint SSL_new(nint context);

    [LibraryImport(Ssl)]
    public static partial void SSL_free(nint ssl);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_accept_state(nint ssl);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_connect_state(nint ssl);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_bio(nint ssl, nint read, nint write);

    [LibraryImport(Ssl)]
    public static partial int SSL_set_ex_data(nint ssl, int index, nint data);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_ex_data(nint ssl, int index);

    [LibraryImport(Ssl)]
    public static partial int SSL_do_handshake(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_read_ex(nint ssl, byte* into, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    public static partial int SSL_peek_ex(nint ssl, byte* into, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    public static partial int SSL_write_ex(nint ssl, byte* bytes, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    public static partial int SSL_in_init(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_max_early_data(nint context, uint most);

    [LibraryImport(Ssl)]
    public static partial int SSL_read_early_data(nint ssl, byte* into, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    public static partial int SSL_write_early_data(nint ssl, byte* bytes, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    public static partial int SSL_has_pending(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_shutdown(nint ssl);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_shutdown(nint ssl, int mode);

    [LibraryImport(Ssl)]
    public static partial int SSL_get_error(nint ssl, int result);

    [LibraryImport(Ssl)]
    public static partial int SSL_version(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_version(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_current_cipher(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CIPHER_get_name(nint cipher);

    [LibraryImport(Ssl)]
    public static partial void SSL_get0_alpn_selected(nint ssl, byte** name, uint* length);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_session(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_SESSION_get_timeout(nint session);

    [LibraryImport(Ssl)]
    public static partial nint SSL_SESSION_set_timeout(nint session, nint seconds);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_session_ticket_cb(nint context, delegate* unmanaged<nint, nint, int> making, nint opened, nint argument);

    [LibraryImport(Ssl)]
    public static partial byte SSL_SESSION_get_max_fragment_length(nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_session_reused(nint ssl);

    [LibraryImport(Crypto)]
    public static partial void ERR_clear_error();

    [LibraryImport(Crypto)]
    public static partial ulong ERR_peek_error();

    [LibraryImport(Crypto)]
    public static partial ulong ERR_peek_last_error();

    [LibraryImport(Crypto)]
    public static partial nint ERR_reason_error_string(ulong error);

    [LibraryImport(Crypto)]
    public static partial int BIO_get_new_index();

    [LibraryImport(Crypto, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint BIO_meth_new(int type, string name);

    [LibraryImport(Crypto)]
    public static partial int BIO_meth_set_read(nint method, delegate* unmanaged<nint, byte*, int, int> callback);

    [LibraryImport(Crypto)]
    public static partial int BIO_meth_set_write(nint method, delegate* unmanaged<nint, byte*, int, int> callback);

    [LibraryImport(Crypto)]
    public static partial int BIO_meth_set_ctrl(nint method, delegate* unmanaged<nint, int, nint, nint, nint> callback);

    [LibraryImport(Crypto)]
    public static partial nint BIO_new(nint method);

    [LibraryImport(Crypto)]
    public static partial void BIO_set_init(nint bio, int init);

    [LibraryImport(Crypto)]
    public static partial void BIO_set_data(nint bio, nint data);

    [LibraryImport(Crypto)]
    public static partial nint BIO_get_data(nint bio);

    [LibraryImport(Crypto)]
    public static partial void BIO_set_flags(nint bio, int flags);

    [LibraryImport(Crypto)]
    public static partial void BIO_clear_flags(nint bio, int flags);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_tlsext_ticket_key_evp_cb(nint context, delegate* unmanaged<nint, byte*, byte*, nint, nint, int, int> callback);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_set_timeout(nint context, nint seconds);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_num_tickets(nint context, nuint count);

    [LibraryImport(Ssl)]
    public static partial int SSL_set_session_id_context(nint ssl, byte* bytes, uint length);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_verify(nint ssl, int mode, nint callback);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_set_verify(nint context, int mode, nint callback);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SSL_CTX_load_verify_locations(nint context, string? file, string? folder);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint SSL_load_client_CA_file(string file);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_set_client_CA_list(nint context, nint names);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_get_cert_store(nint context);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get1_peer_certificate(nint ssl);

    [LibraryImport(Crypto, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int X509_load_crl_file(nint lookup, string file, int type);

    [LibraryImport(Crypto)]
    public static partial nint X509_STORE_add_lookup(nint store, nint method);

    [LibraryImport(Crypto)]
    public static partial nint X509_LOOKUP_file();

    [LibraryImport(Crypto)]
    public static partial int X509_STORE_set_flags(nint store, nuint flags);

    [LibraryImport(Crypto)]
    public static partial void X509_free(nint certificate);

    [LibraryImport(Crypto)]
    public static partial int i2d_X509(nint certificate, byte** into);

    [LibraryImport(Crypto, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint EVP_CIPHER_fetch(nint library, string name, string? properties);

    [LibraryImport(Crypto)]
    public static partial int EVP_CipherInit_ex(nint context, nint cipher, nint engine, byte* key, byte* iv, int encrypts);

    [LibraryImport(Crypto)]
    public static partial int EVP_MAC_CTX_set_params(nint context, Parameter* parameters);

    /// <summary>A text of OpenSSL's own; empty: none.</summary>
    public static string Text(nint text) => text == 0 ? "" : Marshal.PtrToStringUTF8(text)!;

    /// <summary>Takes the first error of this thread's queue in words, and empties it.</summary>
    public static string TakeError()
    {
        var text = Text(ERR_reason_error_string(ERR_peek_error()));
        ERR_clear_error();
        return text;
    }

    /// <summary>OSSL_PARAM.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Parameter
    {
        public byte* Name;
        public uint Type;
        public void* Data;
        public nuint Size;
        public nuint Returned;
    }
}
