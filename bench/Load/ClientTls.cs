// TLS of one client after another on the same place: the handshake goes ahead with the first bytes sent, on the client's own
// non-blocking descriptor. TLS 1.3 with one group and one cipher suite, so that every proxy does the same work. The
// certificate is taken as it is (its signature over the handshake is checked all the same). Where it is to resume, each
// connection after the first offers the ticket that the one before it got, once: one that is refused, or that brings no new
// ticket, is a failure.

namespace Weir.Bench.Load;

internal sealed unsafe class ClientTls(Work work)
{
    private const int BothShutDown = 3;
    private const int ReadBuffer = 64 * 1024;

    private static readonly Lazy<nint> Context = new(NewContext);

    private readonly byte[] name = System.Text.Encoding.ASCII.GetBytes($"{work.Host}\0");
    private nint ssl;
    private nint offered;
    private nint session;
    private bool isUp;
    private bool waits;

    public long Handshakes { get; private set; }

    /// <summary>How many of the handshakes went on with an earlier session.</summary>
    public long Resumed { get; private set; }

    /// <summary>Connections that brought no new ticket.</summary>
    public long Ticketless { get; private set; }

    /// <summary>Whether what could not be sent or received can be later.</summary>
    public bool Waits => waits;

    public void Open(int descriptor)
    {
        ssl = OpenSsl.SSL_new(Context.Value);
        if (ssl == 0 || OpenSsl.SSL_set_fd(ssl, descriptor) != 1) throw new InvalidOperationException("SSL_new");
        OpenSsl.SSL_set_connect_state(ssl);
        fixed (byte* start = name) _ = OpenSsl.SSL_ctrl(ssl, OpenSsl.CtrlServerName, 0, start);
        isUp = false;
        (offered, session) = (session, 0);
        if (offered != 0 && OpenSsl.SSL_set_session(ssl, offered) != 1) throw new InvalidOperationException("SSL_set_session");
    }

    /// <summary>Ends it without a word, as the descriptor is ended.</summary>
    public void Drop()
    {
        if (ssl == 0) return;
        OpenSsl.SSL_set_shutdown(ssl, BothShutDown); // Else its session counts as broken.
        OpenSsl.SSL_free(ssl);
        if (offered != 0) OpenSsl.SSL_SESSION_free(offered);
        ssl = offered = 0;
    }

    /// <summary>Sends, after the handshake.</summary>
    /// <returns>How many bytes; -1: none, <see cref="Waits"/> tells whether later.</returns>
    public nint Send(byte* bytes, nuint count)
    {
        nuint sent;
        if (OpenSsl.SSL_write_ex(ssl, bytes, count, &sent) != 1)
        {
            Fail();
            return -1;
        }

        if (!isUp && !OnHandshake())
        {
            waits = false;
            return -1;
        }

        return (nint)sent;
    }

    /// <returns>How many bytes; 0: the peer has ended; -1: none, <see cref="Waits"/> tells whether later.</returns>
    public nint Receive(byte* into, nuint room)
    {
        nuint received;
        if (OpenSsl.SSL_read_ex(ssl, into, room, &received) == 1) return (nint)received;
        return Fail() == OpenSsl.ZeroReturn ? 0 : -1;
    }

    /// <summary>Keeps the newest ticket for the next connection.</summary>
    /// <returns>Whether one came.</returns>
    public bool KeepSession()
    {
        session = OpenSsl.SSL_get1_session(ssl);
        if (session != 0 && session != offered && OpenSsl.SSL_SESSION_is_resumable(session) == 1) return true;
        if (session != 0) OpenSsl.SSL_SESSION_free(session);
        session = 0;
        Ticketless++;
        return false;
    }

    private bool OnHandshake()
    {
        isUp = true;
        Handshakes++;
        if (OpenSsl.SSL_session_reused(ssl) == 1) Resumed++;
        else if (offered != 0) return false;
        return true;
    }

    private int Fail()
    {
        var error = OpenSsl.SSL_get_error(ssl, 0);
        OpenSsl.ERR_clear_error();
        waits = error is OpenSsl.WantRead or OpenSsl.WantWrite;
        return error;
    }

    private static nint NewContext()
    {
        Kernel.IgnoreBrokenPipes();
        var context = OpenSsl.SSL_CTX_new(OpenSsl.TLS_client_method());
        OpenSsl.SSL_CTX_set_options(context, OpenSsl.IgnoreUnexpectedEof);
        OpenSsl.SSL_CTX_set_default_read_buffer_len(context, ReadBuffer);
        _ = OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlMode, OpenSsl.Mode, null);
        _ = OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlReadAhead, 1, null);
        fixed (byte* suite = "TLS_AES_128_GCM_SHA256\0"u8)
        fixed (byte* group = "X25519\0"u8)
        {
            var isSet = OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlMinVersion, OpenSsl.Tls13, null) == 1 &&
                OpenSsl.SSL_CTX_set_ciphersuites(context, suite) == 1 &&
                OpenSsl.SSL_CTX_ctrl(context, OpenSsl.CtrlGroupsList, 0, group) == 1;
            return isSet ? context : throw new InvalidOperationException("OpenSSL does not know TLS 1.3 with AES-128-GCM and X25519");
        }
    }
}
