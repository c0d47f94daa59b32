// The client's side towards one endpoint: whose name it verifies, and the sessions that its next connections go on with. They
// are kept per loop, few and the freshest first; one of TLS 1.3 is used once (RFC 8446 appendix C.4). What is kept is a copy:
// libssl marks a session as bad whose connection ended without a word, as many servers end theirs, though the ticket is good.

using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

/// <summary>Makes connections to one endpoint. Any loop; what is kept for a loop is that loop's own.</summary>
public sealed unsafe class OpenSslClient : TlsClient
{
    /// <summary>Sessions kept for each loop.</summary>
    public const int MostSessions = 4;

    /// <summary>How long (ms) after a certificate was verified its sessions are gone on with: then it is verified anew.</summary>
    public const long MostAge = 3_600_000;

    private readonly OriginTls origin;
    private readonly byte[] name;
    private readonly byte[]? ip;
    private readonly Sessions?[] kept;

    /// <param name="origin">What it has in common with its siblings.</param>
    /// <param name="name">The endpoint's own name or address.</param>
    /// <param name="loops">How many loops there are.</param>
    public OpenSslClient(OriginTls origin, string name, int loops)
    {
        this.origin = origin;
        Name = origin.Settings.ServerName ?? name;
        this.name = Encoding.ASCII.GetBytes(Name + '\0');
        ip = IPAddress.TryParse(Name, out var address) ? address.GetAddressBytes() : null;
        kept = new Sessions?[loops];
        Identity = IdentityOf(origin.Settings, name);
    }

    /// <summary>What is asked for and verified.</summary>
    public string Name { get; }

    public override string Identity { get; }

    public override string Words
    {
        get
        {
            var settings = origin.Settings;
            var by = settings.Authorities is { } own ? own : SystemAuthorities.Paths is { Length: > 0 } paths ? $"the system's CAs ({string.Join(", ", paths)})" : "the system's CAs, of which there are none";
            return $"{(settings.Verifies ? $"verified as {Name} against {by}" : $"not verified, {Name} is asked for")}{(settings.OnlyTls13 ? ", TLS 1.3 only" : "")}{(settings.Certificate is { } shown ? $", with the certificate {shown.Chain}" : "")}";
        }
    }

    /// <summary>What one is the same by.</summary>
    public static string IdentityOf(OriginTlsSettings settings, string name) => $"{settings} {settings.ServerName ?? name}";

    /// <summary>Sessions kept on a loop now.</summary>
    internal int Kept(int loop) => kept[loop]?.Count ?? 0;

    public override TlsEngine? Connect(Transport over)
    {
        var engine = ConnectAnew(over);
        if (engine is OpenSslEngine made && Of(over.Loop).Take(made.Context, over.Loop.Now, out var verified) is var session and not 0)
        {
            made.VerifiedAt = verified;
            _ = OpenSsl.SSL_set_session(made.Ssl, session);
            OpenSsl.SSL_SESSION_free(session);
        }

        return engine;
    }

    public override TlsEngine? ConnectAnew(Transport over)
    {
        if (!origin.MakeReady()) return null;
        var engine = new OpenSslEngine(origin.Context!, over, this);
        fixed (byte* at = name)
        {
            var parameters = OpenSsl.SSL_get0_param(engine.Ssl);
            OpenSsl.X509_VERIFY_PARAM_set_hostflags(parameters, OpenSsl.WholeNames);
            int done;
            if (ip is null)
            {
                done = name.Length > 1 ? OpenSsl.X509_VERIFY_PARAM_set1_host(parameters, at, (nuint)(name.Length - 1)) : 0;
                _ = OpenSsl.SSL_ctrl(engine.Ssl, OpenSsl.ControlHostName, 0, at); // RFC 6066 §3: of names only.
            }
            else
            {
                fixed (byte* address = ip) done = OpenSsl.X509_VERIFY_PARAM_set1_ip(parameters, address, (nuint)ip.Length);
            }

            // A name that cannot be verified is that of nobody.
            if (done == 1) return engine;
        }

        OpenSsl.ERR_clear_error();
        engine.Free();
        return null;
    }

    public override void Forget(Loop loop) => kept[loop.Index]?.Clear();

    public override void Leave(Loop loop) => Of(loop).End();

    /// <summary>A session that may be gone on with: with TLS 1.2 at the end of a handshake, with 1.3 whenever a ticket comes.</summary>
    [UnmanagedCallersOnly]
    internal static int OnSession(nint ssl, nint session)
    {
        var engine = OpenSslEngine.Of(ssl);
        engine.HoldsBuffers = true;
        if (engine.Client is not { } client || engine.Context != client.origin.Context) return 0;
        var loop = engine.Over.Loop;
        client.Of(loop).Keep(OpenSsl.SSL_SESSION_dup(session), engine.Context, OpenSsl.SSL_session_reused(ssl) != 0 ? engine.VerifiedAt : loop.Now);
        return 0;
    }

    private Sessions Of(Loop loop) => kept[loop.Index] ??= new Sessions();

    private sealed class Sessions
    {
        private readonly (nint Session, long VerifiedAt)[] stack = new (nint, long)[MostSessions];
        private SslContext? of;
        private bool isOver;

        ~Sessions() => Clear();

        public int Count { get; private set; }

        public nint Take(SslContext context, long now, out long verifiedAt)
        {
            verifiedAt = 0;
            if (of != context) Clear();
            while (Count > 0)
            {
                (var session, verifiedAt) = stack[Count - 1];
                var isGood = now - verifiedAt <= MostAge && OpenSsl.SSL_SESSION_is_resumable(session) != 0;
                if (isGood && OpenSsl.SSL_SESSION_get_protocol_version(session) < OpenSsl.Tls13) return OpenSsl.SSL_SESSION_dup(session);
                Count--;
                if (isGood) return session;
                OpenSsl.SSL_SESSION_free(session);
            }

            return 0;
        }

        public void Keep(nint session, SslContext context, long verifiedAt)
        {
            if (session == 0) return;
            if (of != context || OpenSsl.SSL_SESSION_get_protocol_version(session) < OpenSsl.Tls13) Clear();
            of = context;
            if (isOver)
            {
                OpenSsl.SSL_SESSION_free(session);
                return;
            }

            if (Count == MostSessions)
            {
                OpenSsl.SSL_SESSION_free(stack[0].Session);
                Array.Copy(stack, 1, stack, 0, --Count);
            }

            stack[Count++] = (session, verifiedAt);
        }

        public void End()
        {
            isOver = true;
            Clear();
        }

        public void Clear()
        {
            while (Count > 0) OpenSsl.SSL_SESSION_free(stack[--Count].Session);
        }
    }
}
