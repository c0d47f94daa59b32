using System.Text;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Tests.Support;
using Weir.Tests.Unit.Engine.Transports;

namespace Weir.Tests.Unit.Engine.Tls;

public sealed class OpenSslServerTests
{
    private static readonly Weather Wide = new() { MostDelay = 1, MostDelivered = 1 << 20, Window = 1 << 20, SplitsWrites = false };

    // libssl lets a client ask for anything but NUL; placeholders and logs give on what it has asked for.
    [Theory]
    [InlineData("a.test\r\nx-admin: yes", "")]
    [InlineData("a.test\nb", "")]
    [InlineData("a b", "")]
    [InlineData("a\"b", "")]
    [InlineData("a,b", "")]
    [InlineData("a\u0001b", "")]
    [InlineData("a\u007fb", "")]
    [InlineData("a/b", "")]
    [InlineData("a:1", "")]
    [InlineData(".", "")]
    [InlineData("A_1-b.Test.", "a_1-b.test")]
    public void A_name_that_is_no_host_is_none(string asked, string taken)
    {
        var world = new TlsWorld(1, Wide);
        var (client, server) = OpenSslPair.Begin(world);
        OpenSslPair.AskFor((OpenSslEngine)client, asked);
        world.Agree(client, server);
        Assert.Equal(taken, Encoding.ASCII.GetString(server.Facts.ServerName));
        foreach (var end in world.Ends) end.Close();
    }

    // New keys without end, each of which libssl takes without giving any data, do not hold the loop.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Who_sends_without_saying_anything_leaves_others_their_turns(bool comesMeanwhile)
    {
        const int Many = 20_000;
        var world = new TlsWorld(1, Wide);
        var (client, server) = OpenSslPair.Begin(world, accepted: comesMeanwhile ? static inner => new Meanwhile(inner) : null);
        world.Agree(client, server);
        for (var i = 0; i < Many; i++)
        {
            OpenSslPair.TakeNewKeys((OpenSslEngine)client);
        }

        Assert.Equal(5, world.Ends[0].TryWrite("hello"u8).Count);
        world.World.Run(10);
        var room = new byte[100];
        var turns = 0;
        while (true)
        {
            var got = world.Ends[1].TryRead(room);
            if (got.Status == IoStatus.Some) break;
            Assert.Equal(IoStatus.WouldBlock, got.Status);
            Assert.False(world.Ends[1].Readable.IsSet);
            world.World.Run(1);
            Assert.True(world.Ends[1].Readable.IsSet);
            turns++;
        }

        Assert.InRange(turns, 10, 20);
        foreach (var end in world.Ends) end.Close();
    }

    [Fact]
    public void A_session_lives_no_longer_than_its_clients_certificate()
    {
        const int Hour = 3600;
        var folder = Directory.CreateTempSubdirectory("weir-tls-").FullName;
        var pki = new Pki(folder);
        var demands = new ClientDemands(pki.Authority, null, IsRequired: true);
        using var own = Read(pki.Issue("a.test"));
        using var clients = Read(pki.Issue("CN=me", to: 1.0 / 24));
        var shown = ShownCertificates.TryMake([(own, new CertificateNames(["a.test"], []))], demands, out _);
        Directory.Delete(folder, recursive: true);
        var server = new OpenSslServer(new TlsSettings(), new TicketKeys());
        server.Sites.Default = new TlsSite { Shown = shown, Clients = demands };
        using var context = new SslContext(server: false);
        Assert.Equal("", clients.Use(context));
        var world = new TlsWorld(1, Wide);
        var answers = (OpenSslEngine)server.Accept(world.Beneath(1));
        world.Agree(new OpenSslEngine(context, world.Beneath(0), default(OpenSslClient)!), answers);
        Assert.NotNull(answers.Facts.Peer);
        Assert.InRange(OpenSsl.SSL_SESSION_get_timeout(OpenSsl.SSL_get_session(answers.Ssl)), Hour - 60, Hour);
        foreach (var end in world.Ends) end.Close();
    }

    private static KeyedCertificate Read((string Certificate, string Key) files) => KeyedCertificate.TryRead(new CertificateFiles(files.Certificate, files.Key), out _, out _)!;

    // Each read takes all that is there, and by the next there is more, of which no event has told.
    private sealed class Meanwhile : Transport
    {
        private readonly Transport inner;

        public Meanwhile(Transport inner)
            : base(inner) => this.inner = inner;

        public override NetworkAddress Remote => inner.Remote;

        public override NetworkAddress Local => inner.Local;

        public override IoResult TryRead(Span<byte> into)
        {
            const int Most = 4000;
            var got = inner.TryRead(into[..Math.Min(into.Length, Most)]);
            if (got.Count < into.Length) Readable.Clear();
            return got;
        }

        public override IoResult TryWrite(ReadOnlySpan<byte> bytes) => inner.TryWrite(bytes);

        public override IoResult TryWrite(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third = default) => inner.TryWrite(first, second, third);

        public override int ConnectError() => inner.ConnectError();

        public override bool ShutdownWrite() => inner.ShutdownWrite();

        public override void Close(bool reset = false) => inner.Close(reset);
    }
}
