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

    // Read without a byte of data for us: then others have their turn.
    private const int MostIdle = 32 << 10;

    private static readonly Dictionary<nint, byte[]> Names = [];

    private readonly nint ssl;
    private GCHandle self;
    private TlsSite? site;
    private ShownCertificates? shown;
    private byte[] serverName = [];
    private TlsFacts? facts;
    private byte[]? rest; // Of a batch, what found no room.
    private int restStart;
    private bool owesRest; // A write has to go on with it: it may be gone by then, before a record of libssl's own.
    private int gathered = -1; // Bytes in the thread's batch; -1: none is open.
    private bool hasDemanded;
    private EarlyData? early; // Until the handshake is done where early data may come; its bytes until they are read.
    private int idle; // Bytes read that were no data, since there were none to read.
    private NextTurn? nextTurn;
    private bool isOver; // After a fatal error nothing more is said, not even the end.

    public OpenSslEngine(SslContext context, Transport over, OpenSslServer server)
        : this(context, over)
    {
        Server = server;
        if (server.Settings.Early != EarlyDataUse.Off) early = new EarlyData();
        OpenSsl.SSL_set_accept_state(ssl);
    }

    public OpenSslEngine(SslContext context, Transport over, OpenSslClient client)
        : this(context, over)
    {
        Client = client;
        OpenSsl.SSL_set_connect_state(ssl);
    }

    private OpenSslEngine(SslContext context, Transport over)
    {
        Over = over;
        Context = context;
        self = GCHandle.Alloc(this);
        var handle = GCHandle.ToIntPtr(self);
        ssl = context.NewSsl();
        _ = OpenSsl.SSL_set_ex_data(ssl, 0, handle);
        var bio = TransportBio.Make(handle);
        OpenSsl.SSL_set_bio(ssl, bio, bio);
    }

    public override TlsFacts Facts => facts ??= ReadFacts();

    // RFC 6066 §4: 512 to 4096 bytes, in four steps.
    public override int MostPiece =>
        OpenSsl.SSL_get_session(ssl) is not 0 and var session && OpenSsl.SSL_SESSION_get_max_fragment_length(session) is > 0 and < 5 and var step ? 256 << step : MostWritten;

    public override bool HasPending => early is { HasBytes: true } || OpenSsl.SSL_has_pending(ssl) != 0;

    public override bool IsConfirmed => early is null or { IsOver: true };

    /// <summary>What it reads from and writes to.</summary>
    internal Transport Over { get; }

    /// <summary>Whose side it is; null: the client's.</summary>
    internal OpenSslServer? Server { get; }

    /// <summary>Whose side it is; null: the server's.</summary>
    internal OpenSslClient? Client { get; }

    /// <summary>What it was made from.</summary>
    internal SslContext Context { get; }

    /// <summary>Only while it is being made.</summary>
    internal nint Ssl => ssl;

    /// <summary>When the certificate was verified whose session is offered, in the loop's ms.</summary>
    internal long VerifiedAt { get; set; }

    /// <summary>The transport has ended or broken.</summary>
    internal bool HasEnded { get; set; }

    /// <summary>What is shown; null: nothing yet.</summary>
    internal ShownCertificates? Shown => shown;

    /// <summary>What the site asked of the client; null: nothing.</summary>
    internal ClientDemands? Demands { get; private set; }

    /// <summary>An issuer of certificates looks, and asks for nothing.</summary>
    internal bool IsProof { get; set; }

    /// <summary>The name that the client asked for is one of ours.</summary>
    internal bool IsNamed { get; set; }

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

    /// <summary>Whom the client asked for, and who shows itself; on the server's side, once the client's first message is read.</summary>
    internal void Meet(TlsSite by, ShownCertificates certificates, ReadOnlySpan<byte> name) => (site, shown, Demands, serverName) = (by, certificates, by.Clients, name.ToArray());

    public override TlsStatus Handshake()
    {
        if (early is not null)
        {
            var confirmed = Confirm();
            return early is { HasBytes: true } && confirmed is TlsStatus.WantRead or TlsStatus.WantWrite ? TlsStatus.Done : confirmed;
        }

        return Shake();
    }

    public override TlsStatus Confirm()
    {
        if (IsConfirmed) return TlsStatus.Done;
        while (!early!.HasAll)
        {
            nuint got = 0;
            int step;
            OpenSsl.ERR_clear_error();
            var room = early.Room;
            fixed (byte* at = room) step = OpenSsl.SSL_read_early_data(ssl, at, (nuint)room.Length, &got);
            early.Add((int)got);
            if (step == EarlyData.Finished) early.HasAll = true;
            else if (step != EarlyData.Success) return Why(0);
        }

        var status = Shake();
        if (status != TlsStatus.Done) return status;
        early.IsOver = true;
        if (!early.HasBytes) early = null;
        return status;
    }

    private TlsStatus Shake()
    {
        OpenSsl.ERR_clear_error();
        var result = OpenSsl.SSL_do_handshake(ssl);
        if (result == 1) return TlsStatus.Done;
        var status = Why(result);
        return status == TlsStatus.End ? Broken() : status;
    }

    public override TlsStatus Read(Span<byte> into, out int count)
    {
        if (early is not null)
        {
            count = early.Take(into);
            if (count > 0) return TlsStatus.Done;
            var confirmed = Confirm();
            count = early?.Take(into) ?? 0;
            if (count > 0) return TlsStatus.Done;
            if (confirmed != TlsStatus.Done) return confirmed;
            early = null;
        }

        nuint got = 0;
        OpenSsl.ERR_clear_error();
        int result;
        fixed (byte* at = into) result = OpenSsl.SSL_read_ex(ssl, at, (nuint)into.Length, &got);
        count = (int)got;
        idle = Math.Max(0, idle - count);
        var outcome = result == 1 ? TlsStatus.Done : Why(result);
        if (HoldsBuffers) GiveBack();
        return outcome;
    }

    public override TlsStatus Write(ReadOnlySpan<byte> piece)
    {
        if (owesRest)
        {
            var gone = SendRest();
            if (gone == TlsStatus.Done) owesRest = false;
            return gone;
        }

        nuint sent = 0;
        OpenSsl.ERR_clear_error();
        int result;
        fixed (byte* at = piece) result = IsConfirmed ? OpenSsl.SSL_write_ex(ssl, at, (nuint)piece.Length, &sent) : OpenSsl.SSL_write_early_data(ssl, at, (nuint)piece.Length, &sent);
        if (result != 1)
        {
            // New keys, that the peer asked for, go before the record.
            var status = Why(result);
            return status == TlsStatus.WantWrite && IsConfirmed && OpenSsl.SSL_in_init(ssl) != 0 ? TlsStatus.WantWriteFirst : status;
        }

        return (int)sent == piece.Length ? TlsStatus.Done : Broken();
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
        owesRest = true;
        return Write(default);
    }

    public override bool Peek()
    {
        byte one;
        nuint got = 0;
        OpenSsl.ERR_clear_error();
        var result = OpenSsl.SSL_peek_ex(ssl, &one, 1, &got);
        var hasSome = result == 1 || Why(result) != TlsStatus.WantRead;
        if (HoldsBuffers) GiveBack();
        return hasSome;
    }

    public override TlsStatus SendEnd()
    {
        if (isOver) return TlsStatus.Failed;
        OpenSsl.ERR_clear_error();
        var result = OpenSsl.SSL_shutdown(ssl);
        return result >= 0 ? TlsStatus.Done : Why(result);
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

    /// <summary>
    /// Whether it may read on in this turn of the loop. libssl reads for as long as something comes that is no data, such as new
    /// keys without end, and would hold the loop as long. False: its reads go on with the next turn.
    /// </summary>
    internal bool MayReadOn()
    {
        if (idle < MostIdle) return true;
        Over.Readable.Clear();
        nextTurn ??= new NextTurn(this);
        nextTurn.Post();
        return false;
    }

    /// <summary>So many bytes were read; 0: there were none, and it waits. A short read is no end: libssl reads on, and more may have come.</summary>
    internal void CountRead(int count) => idle = count == 0 ? 0 : idle + count;

    /// <summary>A ticket came: libssl took a buffer to write an answer to it, of which there is none.</summary>
    internal bool HoldsBuffers { get; set; }

    /// <summary>Whether a batch is open.</summary>
    internal bool IsGathering => gathered >= 0;

    /// <summary>Takes a record into the open batch, which has room for what is written in one.</summary>
    internal bool TryGather(ReadOnlySpan<byte> record)
    {
        if (gathered + record.Length > TransportBio.Batch.Length) return false;
        record.CopyTo(TransportBio.Batch.AsSpan(gathered));
        gathered += record.Length;
        return true;
    }

    // Not within a record, of which libssl would lose what it has read (CVE-2024-4741).
    private void GiveBack()
    {
        const int BetweenRecords = 'H'; // "RH": a header is awaited.
        if (isOver || HasPending || OpenSsl.SSL_rstate_string(ssl)[1] != BetweenRecords) return;
        HoldsBuffers = OpenSsl.SSL_free_buffers(ssl) == 0;
    }

    /// <summary>What found no room of a batch; nothing else leaves before it.</summary>
    internal TlsStatus SendRest()
    {
        while (rest is not null)
        {
            var sent = Over.TryWrite(rest.AsSpan(restStart));
            if (sent.Status == IoStatus.WouldBlock) return TlsStatus.WantWrite;
            if (sent.Status != IoStatus.Some) return Broken();
            restStart += sent.Count;
            if (restStart == rest.Length) rest = null;
        }

        return TlsStatus.Done;
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
                var (trouble, text) = Client is null ? TlsErrors.Take(HasEnded) : TlsErrors.TakeOfOrigin(ssl, HasEnded);
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
            ServerName = serverName,
            IsResumed = OpenSsl.SSL_session_reused(ssl) != 0,
            Site = site,
            Demands = Demands,
            Names = shown?.Names ?? [],
            Peer = Demands is null ? null : ReadPeer(),
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

    // OpenSSL's own constants: few, and always the same text.
    private static byte[] NameOf(nint text)
    {
        lock (Names)
        {
            if (!Names.TryGetValue(text, out var name)) Names[text] = name = System.Text.Encoding.ASCII.GetBytes(OpenSsl.Text(text));
            return name;
        }
    }

    private sealed class NextTurn(OpenSslEngine engine) : Posted
    {
        private bool isPosted;

        public void Post()
        {
            if (isPosted) return;
            isPosted = true;
            engine.Over.Loop.Post(this);
        }

        public override void Run()
        {
            isPosted = false;
            engine.idle = 0;
            if (!engine.Over.IsClosed) engine.Over.Readable.Raise();
        }
    }

    private sealed class Resume(OpenSslEngine engine) : Posted
    {
        public override void Run() => engine.Resumed.Raise();
    }
}
