using System.Text;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
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
}
