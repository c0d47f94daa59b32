// The server's side of one listener: which site's certificate a client is shown is decided when its first message is read, by
// the name it asks for, with the same table that routes requests.

using System.Runtime.InteropServices;
using Weir.Engine.Routing;
using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

/// <summary>A listener's TLS. Immutable.</summary>
public sealed unsafe class OpenSslServer : TlsServer
{
    private const uint ServerNameExtension = 0;
    private const uint ProtocolsExtension = 16;
    private const int MostName = 255;
    private const int MostSessions = 20_000;
    private const int CallbackSuccess = 1;
    private const int CallbackError = 0;
    private const int CallbackRetry = -1;
    private const int AlertHandshakeFailure = 40;
    private const int AlertUnrecognizedName = 112;
    private const int AlpnFatal = 2;

    private readonly SslContext first;

    /// <param name="settings">What is spoken.</param>
    /// <param name="tickets">What seals session tickets; null: none are given.</param>
    /// <param name="before">The listener's TLS so far: where the same is spoken, sessions go on.</param>
    public OpenSslServer(TlsSettings settings, TicketKeys? tickets = null, OpenSslServer? before = null)
    {
        Settings = settings;
        Tickets = tickets;
        first = before?.Settings == settings && before.Tickets == tickets ? before.first : MakeFirst(settings, tickets);
    }

    /// <summary>What seals session tickets; null: none are given.</summary>
    internal TicketKeys? Tickets { get; }

    public TlsSettings Settings { get; }

    /// <summary>What is shown to issuers of certificates; null: nothing ever.</summary>
    public AlpnProofs? Proofs { get; init; }

    /// <summary>Whether a client that asks for no name, or for one that no site has, is refused.</summary>
    public bool StrictServerName { get; init; }

    /// <summary>Which site a name is of.</summary>
    public HostTable<TlsSite> Sites { get; } = new();

    /// <summary>Who shows itself to a client that asks for a name, in lower case; empty: for none. Null: it is refused.</summary>
    public TlsSite? Choose(ReadOnlySpan<byte> name) => StrictServerName ? Sites.FindNamed(name) : Sites.Find(name);

    public override TlsEngine Accept(Transport over) => new OpenSslEngine(first, over, this);

    [UnmanagedCallersOnly]
    private static int OnClientHello(nint ssl, int* alert, nint argument)
    {
        var engine = OpenSslEngine.Of(ssl);
        var server = engine.Server!;
        Span<byte> room = stackalloc byte[MostName];
        if (server.Proofs is { IsEmpty: false } proofs && ShowsProof(ssl, proofs)) return CallbackSuccess;
        var name = Lower(NameIn(ssl), room);
        var site = server.Choose(name);
        if (site?.Demand is { } demand && !name.IsEmpty)
        {
            if (demand.Find(name) is { Shown: not null } own) site = own;
            else if (engine.TryDemand(demand, name)) return CallbackRetry;
        }

        var sessions = site?.SessionContext; // Before what is shown: a client that is judged by the old lists gets no session of the new ones.
        var shown = site?.Shown;
        while (shown is not null && !shown.Context.TryShowOn(ssl)) shown = site!.Shown; // It was replaced at this moment.
        if (site is null || shown is null)
        {
            *alert = AlertUnrecognizedName;
            return CallbackError;
        }

        engine.Meet(site, shown, name);
        // A session of one site is no ticket for another, which may ask more of its clients.
        fixed (byte* id = sessions) _ = OpenSsl.SSL_set_session_id_context(ssl, id, (uint)sessions!.Length);
        if (engine.Demands is { } clients) OpenSsl.SSL_set_verify(ssl, clients.Mode, 0);
        return CallbackSuccess;
    }

    // No session of it is one of a site's, and none of a site's is gone on with.
    private static bool ShowsProof(nint ssl, AlpnProofs proofs)
    {
        byte* bytes;
        nuint length;
        if (OpenSsl.SSL_client_hello_get0_ext(ssl, ProtocolsExtension, &bytes, &length) != 1 || !AlpnProofs.IsAsked(new ReadOnlySpan<byte>(bytes, (int)length))) return false;
        if (proofs.Find(NameIn(ssl)) is not { } shown || !shown.Context.TryShowOn(ssl)) return false;
        OpenSslEngine.Of(ssl).IsProof = true;
        fixed (byte* name = AlpnProofs.Protocol) _ = OpenSsl.SSL_set_session_id_context(ssl, name, (uint)AlpnProofs.Protocol.Length);
        return true;
    }

    private static SslContext MakeFirst(TlsSettings settings, TicketKeys? tickets)
    {
        var context = ServerContext.Make(settings);
        OpenSsl.SSL_CTX_set_client_hello_cb(context.Pointer, &OnClientHello, 0);
        _ = OpenSsl.SSL_CTX_set_timeout(context.Pointer, (nint)(settings.SessionLifetime / 1000));
        if (tickets is not null && settings.Early != EarlyDataUse.Off)
        {
            _ = OpenSsl.SSL_CTX_set_max_early_data(context.Pointer, EarlyData.Most);
            if (settings.Early == EarlyDataUse.Replayable)
            {
                _ = OpenSsl.SSL_CTX_set_options(context.Pointer, OpenSsl.OptionNoAntiReplay);
            }
            else
            {
                // Single use: sessions are kept here, and the oldest makes room.
                _ = OpenSsl.SSL_CTX_ctrl(context.Pointer, OpenSsl.CtrlSessionCacheMode, OpenSsl.CacheServer | OpenSsl.CacheNoAutoClear, null);
                _ = OpenSsl.SSL_CTX_ctrl(context.Pointer, OpenSsl.CtrlSessionCacheSize, MostSessions, null);
            }
        }

        if (tickets is not null)
        {
            _ = OpenSsl.SSL_CTX_set_tlsext_ticket_key_evp_cb(context.Pointer, &Tls.Tickets.OnTicket);
        }
        else
        {
            _ = OpenSsl.SSL_CTX_set_options(context.Pointer, OpenSsl.OptionNoTicket);
            _ = OpenSsl.SSL_CTX_set_num_tickets(context.Pointer, 0);
        }

        return context;
    }

    /// <summary>Chooses the protocol (RFC 7301): ours that the client offers as well.</summary>
    [UnmanagedCallersOnly]
    internal static int OnAlpn(nint ssl, byte** chosen, byte* chosenLength, byte* offered, uint offeredLength, nint argument)
    {
        var spoken = OpenSslEngine.Of(ssl).IsProof ? AlpnProofs.Protocol : "http/1.1"u8;
        for (var at = 0u; at < offeredLength; at += 1u + offered[at])
        {
            if (at + 1 + offered[at] > offeredLength) return AlpnFatal;
            if (!new ReadOnlySpan<byte>(offered + at + 1, offered[at]).SequenceEqual(spoken)) continue;
            *chosen = offered + at + 1;
            *chosenLength = offered[at];
            return 0;
        }

        return AlpnFatal;
    }

    // As hosts of requests are: in lower case, without the dot of the root.
    private static ReadOnlySpan<byte> Lower(ReadOnlySpan<byte> name, Span<byte> room)
    {
        if (name.EndsWith((byte)'.')) name = name[..^1];
        return name.Length <= room.Length && System.Text.Ascii.ToLower(name, room, out var length) == System.Buffers.OperationStatus.Done ? room[..length] : default;
    }

    // RFC 6066 §3: a list of one name of type 0.
    private static ReadOnlySpan<byte> NameIn(nint ssl)
    {
        byte* bytes;
        nuint length;
        if (OpenSsl.SSL_client_hello_get0_ext(ssl, ServerNameExtension, &bytes, &length) != 1) return default;
        var list = new ReadOnlySpan<byte>(bytes, (int)length);
        if (list.Length < 5 || list[2] != 0) return default;
        var name = (list[3] << 8) | list[4];
        return name == list.Length - 5 ? list[5..] : default;
    }
}
