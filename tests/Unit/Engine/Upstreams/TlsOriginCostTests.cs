using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;
using Weir.Tests.Support;
using Weir.Tests.Unit.Engine.Transports;

namespace Weir.Tests.Unit.Engine.Upstreams;

// Over the kernel's sockets, both ends on one loop: what a connection to an origin over TLS costs.
public sealed partial class TlsOriginCostTests : IDisposable
{
    private static readonly byte[] Method = "GET"u8.ToArray();

    private readonly TestAuthority authority = new();
    private readonly EpollPoller poller = new();
    private readonly Loop loop;
    private readonly KernelNetwork network;
    private readonly KernelListenSocket listening;
    private readonly Acceptor acceptor;
    private readonly BufferPool buffers = new(new MemoryBudget(1 << 24));
    private readonly OpenSslServer server;
    private readonly Watched client;
    private readonly Endpoint endpoint;
    private readonly Connector connector;
    private readonly Exchange exchange;
    private readonly byte[] room = new byte[65536];

    public TlsOriginCostTests()
    {
        loop = new Loop(poller);
        network = new KernelNetwork(loop, poller);
        listening = KernelListenSocket.Bind(NetworkAddress.FromIp(IPAddress.Loopback, 0), 1, reusePort: false, backlog: 512, out _)![0];
        acceptor = network.Accept(listening);
        var shown = authority.Issue("app.test");
        server = new OpenSslServer(new TlsSettings(), new TicketKeys());
        server.Sites.Default = ShownSite.Of(shown.Certificate, shown.Key);
        client = new Watched(new OpenSslClient(new OriginTls(new OriginTlsSettings { Authorities = authority.File }), "app.test", 1));
        endpoint = new Endpoint("https://app.test", "app.test:443", 1) { Addresses = [listening.Address], Tls = client };
        connector = new Connector(loop, network, buffers, new ErrorLog(new StreamTarget(Stream.Null)));
        exchange = new Exchange(loop, buffers) { TotalDeadline = Timeouts.None };
    }

    public void Dispose()
    {
        endpoint.Pool(0).Leave(loop);
        acceptor.Close();
        listening.Close();
        poller.Dispose();
        authority.Dispose();
    }

    [Theory]
    [InlineData(13)]
    [InlineData(200_000)]
    public void An_exchange_on_a_kept_connection_allocates_nothing(int length)
    {
        var answer = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: {length}\r\n\r\n{new string('x', length)}");
        var (connection, far) = Connect();
        Exchange(connection, far, answer, length);
        for (var i = 0; i < 200; i++) Again();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 500; i++) Again();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1, endpoint.Uses.Opened);

        void Again() => Exchange((ClientConnection)connector.TryTakeIdle(endpoint)!, far, answer, length);
    }

    [Fact]
    public void An_idle_connection_holds_no_buffers_of_libssl_though_tickets_came()
    {
        Assert.SkipUnless(NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "mallinfo2", out _), "the C library does not tell what is allocated");
        const int Connections = 64;
        var answer = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
        for (var i = 0; i < Connections; i++) Answered(answer);
        // What it could give back still is what it holds; other tests may allocate meanwhile.
        var holding = 0;
        foreach (var engine in client.Made)
        {
            var before = (long)mallinfo2().InUse;
            if (SSL_free_buffers(engine.Ssl) != 1 || before - (long)mallinfo2().InUse > 8_192) holding++;
        }

        Assert.InRange(holding, 0, Connections / 8);
        Assert.Equal(Connections, client.Made.Count);
        Assert.True(client.Made.Exists(static e => e.Facts.IsResumed) && client.Made.Exists(static e => !e.Facts.IsResumed));
    }

    private void Answered(byte[] answer)
    {
        var (connection, far) = Connect();
        Exchange(connection, far, answer, 1, isGivenBack: false);
    }

    private void Exchange(ClientConnection connection, Transport far, byte[] answer, int length, bool isGivenBack = true)
    {
        var request = exchange.Request;
        request.Method = ByteRange.Of(Method);
        if (connection.StartRequest(request) != FaultCause.None || connection.RequestBody.TryFinish(null) != SinkStatus.Done) throw new InvalidOperationException("the request was not sent");
        while (far.TryRead(room).Status == IoStatus.WouldBlock) loop.Turn(mayWait: true);
        var sent = 0;
        while (connection.TryReceiveHead(request, exchange.Response) == HeadStatus.Wait) Push();
        var got = 0;
        for (BodyStatus status; (status = connection.ResponseBody.TryRead(out var piece)) != BodyStatus.End;)
        {
            if (status == BodyStatus.Wait) Push();
            else if (status != BodyStatus.Piece) throw new InvalidOperationException("the answer broke off");
            got += piece.Length;
            if (status == BodyStatus.Piece) connection.ResponseBody.Advance(piece.Length);
        }

        if (got != length) throw new InvalidOperationException("not all of the answer came");
        if (isGivenBack) connection.Release();

        void Push()
        {
            if (sent < answer.Length && far.TryWrite(answer.AsSpan(sent)) is { Status: IoStatus.Some } some) sent += some.Count;
            loop.Turn(mayWait: false);
        }
    }

    private (ClientConnection Connection, Transport Far) Connect()
    {
        Lent? lent = null;
        ConnectAsync().Detach();
        Transport? transport = null;
        TlsEngine? engine = null;
        var isDone = false;
        while (lent is null || !isDone)
        {
            loop.Turn(mayWait: false);
            transport ??= acceptor.TryAccept(out _);
            if (transport is not null) engine ??= server.Accept(transport);
            isDone |= engine?.Handshake() == TlsStatus.Done;
        }

        return ((ClientConnection)lent.Value.Stream!, new TlsTransport(transport!, engine!));

        async LoopTask ConnectAsync() => lent = await connector.ConnectAsync(endpoint, exchange, exchange.Flow, null, 5_000);
    }

    [LibraryImport("libssl.so.3")]
    private static partial int SSL_free_buffers(nint ssl);

    [LibraryImport("libc")]
    private static partial MallInfo mallinfo2();

    private sealed class Watched(OpenSslClient inner) : TlsClient
    {
        public List<OpenSslEngine> Made { get; } = [];

        public override TlsEngine? Connect(Transport over)
        {
            Made.Add((OpenSslEngine)inner.Connect(over)!);
            return Made[^1];
        }

        public override void Leave(Loop loop) => inner.Leave(loop);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MallInfo
    {
        public nuint Arena, Pieces, Small, Mapped, MappedBytes, Unused, SmallFree, InUse, Free, Kept;
    }
}
