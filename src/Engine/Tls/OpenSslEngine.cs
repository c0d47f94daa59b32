// One side of one connection, by libssl. It is reached from libssl's callbacks through a handle, which is freed with it.

using System.Runtime.InteropServices;
using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

/// <summary>A <see cref="TlsEngine"/> by OpenSSL.</summary>
internal sealed unsafe class OpenSslEngine : TlsEngine
{
    private const int BothShutdown = 3;

    private static readonly Dictionary<nint, byte[]> Names = [];

    private readonly nint ssl;
    private GCHandle self;
    private TlsFacts? facts;
    private byte[]? rest; // Of a batch, what found no room.
    private int restStart;
    private int gathered = -1; // Bytes in the thread's batch; -1: none is open.
    private bool hasDemanded;
    private bool isOver; // After a fatal error nothing more is said, not even the end.

    public OpenSslEngine(SslContext context, Transport over, OpenSslServer? server)
    {
        Over = over;
        Server = server;
        self = GCHandle.Alloc(this);
        var handle = GCHandle.ToIntPtr(self);
        ssl = context.NewSsl();
        _ = OpenSsl.SSL_set_ex_data(ssl, 0, handle);
        var bio = TransportBio.Make(handle);
        OpenSsl.SSL_set_bio(ssl, bio, bio);
        if (server is not null) OpenSsl.SSL_set_accept_state(ssl);
        else OpenSsl.SSL_set_connect_state(ssl);
    }

    public override TlsFacts Facts => facts ??= ReadFacts();

    public override bool HasPending => OpenSsl.SSL_has_pending(ssl) != 0;

    /// <summary>What it reads from and writes to.</summary>
    internal Transport Over { get; }

    /// <summary>Whose side it is; null: the client's.</summary>
    internal OpenSslServer? Server { get; }

    /// <summary>The transport has ended or broken.</summary>
    internal bool HasEnded { get; set; }

    /// <summary>The site whose certificate is shown.</summary>
    internal TlsSite? Site { get; set; }

    /// <summary>An issuer of certificates looks, and asks for nothing.</summary>
    internal bool IsProof { get; set; }

    public override bool EndsAfterHandshake => IsProof;

    /// <summary>Has a certificate obtained, once: the handshake goes on when it is known whether there is one. False: it does not wait.</summary>
    internal bool TryDemand(CertificateDemand demand, ReadOnlySpan<byte> name)
    {
        if (hasDemanded) return false;
        hasDemanded = true;
        var resume = new Resume(this);
        return demand.TryBegin(Encoding.ASCII.GetString(name), () => Over.Loop.Post(resume));
    }

    /// <summary>The engine of a callback's connection.</summary>
    public static OpenSslEngine Of(nint ssl) => (OpenSslEngine)GCHandle.FromIntPtr(OpenSsl.SSL_get_ex_data(ssl, 0)).Target!;

    public override TlsStatus Handshake()
    {
        OpenSsl.ERR_clear_error();
        var result = OpenSsl.SSL_do_handshake(ssl);
        return result == 1 ? TlsStatus.Done : Why(result);
    }

    public override TlsStatus Read(Span<byte> into, out int count)
    {
        nuint got = 0;
        OpenSsl.ERR_clear_error();
        int result;
        fixed (byte* at = into) result = OpenSsl.SSL_read_ex(ssl, at, (nuint)into.Length, &got);
        count = (int)got;
        return result == 1 ? TlsStatus.Done : Why(result);
    }

    public override TlsStatus Write(ReadOnlySpan<byte> piece)
    {
        if (rest is not null) return SendRest();
        nuint sent = 0;
        OpenSsl.ERR_clear_error();
        int result;
        fixed (byte* at = piece) result = OpenSsl.SSL_write_ex(ssl, at, (nuint)piece.Length, &sent);
        return result == 1 ? TlsStatus.Done : Why(result);
    }

    public override void BeginBatch() => gathered = 0;

    public override TlsStatus Flush()
    {
        var bytes = TransportBio.Batch.AsSpan(0, gathered);
        gathered = -1;
        var sent = Over.TryWrite(bytes);
        if (sent.Count == bytes.Length) return TlsStatus.Done;
        if (sent.Status is not (IoStatus.Some or IoStatus.WouldBlock)) return Broken();
        rest = bytes[sent.Count..].ToArray();
        restStart = 0;
        return SendRest();
    }

    public override bool Peek()
    {
        byte one;
        nuint got = 0;
        OpenSsl.ERR_clear_error();
        var result = OpenSsl.SSL_peek_ex(ssl, &one, 1, &got);
        return result == 1 || Why(result) != TlsStatus.WantRead;
    }

    public override void SendEnd()
    {
        if (isOver) return;
        OpenSsl.ERR_clear_error();
        _ = OpenSsl.SSL_shutdown(ssl);
    }

    public override void Free()
    {
        // Else libssl takes a session whose connection just ended for a bad one.
        if (!isOver) OpenSsl.SSL_set_shutdown(ssl, BothShutdown);
        OpenSsl.SSL_free(ssl);
        OpenSsl.ERR_clear_error();
        self.Free();
        rest = null;
    }

    /// <summary>Takes a record into the open batch.</summary>
    internal bool TryGather(ReadOnlySpan<byte> record)
    {
        if (gathered < 0 || gathered + record.Length > TransportBio.Batch.Length) return false;
        record.CopyTo(TransportBio.Batch.AsSpan(gathered));
        gathered += record.Length;
        return true;
    }

    private TlsStatus SendRest()
    {
        while (true)
        {
            var sent = Over.TryWrite(rest.AsSpan(restStart));
            if (sent.Status == IoStatus.WouldBlock) return TlsStatus.WantWrite;
            if (sent.Status != IoStatus.Some) return Broken();
            restStart += sent.Count;
            if (restStart < rest!.Length) continue;
            rest = null;
            return TlsStatus.Done;
        }
    }

    private TlsStatus Why(int result)
    {
        switch (OpenSsl.SSL_get_error(ssl, result))
        {
            case OpenSsl.ErrorWantRead:
                return TlsStatus.WantRead;
            case OpenSsl.ErrorWantWrite:
                return TlsStatus.WantWrite;
            case OpenSsl.ErrorWantLookup or OpenSsl.ErrorWantClientHello:
                return TlsStatus.Suspended;
            case OpenSsl.ErrorZeroReturn:
                return TlsStatus.End;
            case OpenSsl.ErrorSyscall:
                OpenSsl.ERR_clear_error();
                return Broken();
            default:
                isOver = true;
                var (trouble, text) = TlsErrors.Take(HasEnded);
                if (Trouble == TlsTrouble.None) (Trouble, TroubleText) = (trouble, text);
                return TlsStatus.Failed;
        }
    }

    private TlsStatus Broken()
    {
        isOver = true;
        if (Trouble == TlsTrouble.None) (Trouble, TroubleText) = (TlsTrouble.Broken, "the connection broke or ended");
        return TlsStatus.Failed;
    }

    private TlsFacts ReadFacts()
    {
        byte* protocol;
        uint length;
        OpenSsl.SSL_get0_alpn_selected(ssl, &protocol, &length);
        return new TlsFacts
        {
            Version = NameOf(OpenSsl.SSL_get_version(ssl)),
            Cipher = NameOf(OpenSsl.SSL_CIPHER_get_name(OpenSsl.SSL_get_current_cipher(ssl))),
            Protocol = new ReadOnlySpan<byte>(protocol, (int)length).ToArray(),
            ServerName = ServerNameOf(),
            IsResumed = OpenSsl.SSL_session_reused(ssl) != 0,
            Peer = Site?.Clients is null ? null : ReadPeer(),
        };
    }

    private PeerCertificate? ReadPeer()
    {
        var certificate = OpenSsl.SSL_get1_peer_certificate(ssl);
        if (certificate == 0) return null;
        var der = new byte[Math.Max(0, OpenSsl.i2d_X509(certificate, null))];
        fixed (byte* start = der)
        {
            var at = start;
            _ = OpenSsl.i2d_X509(certificate, &at);
        }

        OpenSsl.X509_free(certificate);
        return new PeerCertificate(der);
    }

    private byte[] ServerNameOf()
    {
        var name = OpenSsl.SSL_get_servername(ssl, 0);
        if (name == 0) return [];
        var bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated((byte*)name).ToArray();
        for (var i = 0; i < bytes.Length; i++) bytes[i] |= (byte)(bytes[i] is >= (byte)'A' and <= (byte)'Z' ? 0x20 : 0);
        return bytes;
    }

    // OpenSSL's own constants: few, and always the same text.
    private static byte[] NameOf(nint text)
    {
        lock (Names)
        {
            if (!Names.TryGetValue(text, out var name)) Names[text] = name = System.Text.Encoding.ASCII.GetBytes(OpenSsl.Text(text));
            return name;
        }
    }

    private sealed class Resume(OpenSslEngine engine) : Posted
    {
        public override void Run() => engine.Resumed.Raise();
    }
}
