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
    private const int MostName = 255;
    private const int CallbackSuccess = 1;
    private const int CallbackError = 0;
    private const int AlertHandshakeFailure = 40;
    private const int AlertUnrecognizedName = 112;
    private const int AlpnNoAck = 3;
    private const int AlpnFatal = 2;

    private readonly SslContext first;

    /// <param name="settings">What is spoken.</param>
    public OpenSslServer(TlsSettings settings)
    {
        Settings = settings;
        first = ServerContext.Make(settings);
        OpenSsl.SSL_CTX_set_client_hello_cb(first.Pointer, &OnClientHello, 0);
    }

    public TlsSettings Settings { get; }

    /// <summary>Whether a client that asks for no name, or for one that no site has, is refused.</summary>
    public bool StrictServerName { get; init; }

    /// <summary>Which site a name is of.</summary>
    public HostTable<TlsSite> Sites { get; } = new();

    public override TlsEngine Accept(Transport over) => new OpenSslEngine(first, over, this);

    [UnmanagedCallersOnly]
    private static int OnClientHello(nint ssl, int* alert, nint argument)
    {
        var engine = OpenSslEngine.Of(ssl);
        var server = engine.Server!;
        Span<byte> room = stackalloc byte[MostName];
        var name = Lower(NameIn(ssl), room);
        var site = server.StrictServerName ? server.Sites.FindNamed(name) : server.Sites.Find(name);
        if (site?.Shown is not { } shown)
        {
            *alert = AlertUnrecognizedName;
            return CallbackError;
        }

        engine.Meet(site, shown, name);
        shown.Context.ShowOn(ssl);
        return CallbackSuccess;
    }

    /// <summary>Chooses the protocol (RFC 7301): ours that the client offers as well.</summary>
    [UnmanagedCallersOnly]
    internal static int OnAlpn(nint ssl, byte** chosen, byte* chosenLength, byte* offered, uint offeredLength, nint argument)
    {
        for (var at = 0u; at < offeredLength; at += 1u + offered[at])
        {
            if (at + 1 + offered[at] > offeredLength) return AlpnFatal;
            if (!new ReadOnlySpan<byte>(offered + at + 1, offered[at]).SequenceEqual("http/1.1"u8)) continue;
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
