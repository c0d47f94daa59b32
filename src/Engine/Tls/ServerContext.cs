// Making contexts for the server's side.

namespace Weir.Engine.Tls;

/// <summary>Makes contexts. Any thread.</summary>
internal static unsafe class ServerContext
{
    // Mozilla's order; the client's preference decides.
    private const string Ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

    /// <summary>One without certificates.</summary>
    public static SslContext Make(TlsSettings settings)
    {
        var context = new SslContext(server: true);
        var pointer = context.Pointer;
        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlMinVersion, settings.Profile == TlsProfile.Modern ? OpenSsl.Tls13 : OpenSsl.Tls12, null);
        _ = OpenSsl.SSL_CTX_set_cipher_list(pointer, Ciphers);
        fixed (byte* groups = "X25519MLKEM768:X25519:P-256:P-384\0"u8)
        fixed (byte* older = "X25519:P-256:P-384\0"u8)
        {
            if (OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlGroups, 0, groups) != 1) _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlGroups, 0, older);
        }

        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlMode, OpenSsl.Mode, null);
        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlReadAhead, 1, null);
        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlSessionCacheMode, 0, null);
        _ = OpenSsl.SSL_CTX_set_options(pointer, OpenSsl.OptionNoCompression | OpenSsl.OptionNoRenegotiation);
        _ = OpenSslCertificates.SSL_CTX_callback_ctrl(pointer, OpenSslCertificates.CtrlServerNameCallback, &OpenSslServer.OnServerName);
        OpenSsl.SSL_CTX_set_alpn_select_cb(pointer, &OpenSslServer.OnAlpn, 0);
        OpenSsl.ERR_clear_error();
        return context;
    }
}
