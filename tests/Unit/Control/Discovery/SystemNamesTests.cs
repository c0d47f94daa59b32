// The system's files about names.

using Weir.Control.Discovery;

namespace Weir.Tests.Unit.Control.Discovery;

public sealed class SystemNamesTests : IDisposable
{
    private readonly string path = Path.GetTempFileName();

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Resolv_conf_is_read()
    {
        File.WriteAllText(path, "# nameserver 10.0.0.9\nnameserver 10.0.0.1\n nameserver\tfd00::1\nnameserver x\nnameserver 10.0.0.2\nnameserver 10.0.0.3\ndomain old\nsearch a.example b.example. -/-\noptions edns0 ndots:2\n");
        var system = SystemNames.Read(path);
        Assert.Equal(["10.0.0.1:53", "[fd00::1]:53", "10.0.0.2:53"], system.Servers.Select(static s => s.ToString()));
        Assert.Equal(["app.a.example", "app.b.example", "app"], system.Meant("app"));
        Assert.Equal(["app.x.a.example", "app.x.b.example", "app.x"], system.Meant("app.x"));
        Assert.Equal(["app.x.y", "app.x.y.a.example", "app.x.y.b.example"], system.Meant("app.x.y"));
        Assert.Equal(["app."], system.Meant("app."));
    }

    [Fact]
    public void Without_it_a_server_of_this_machine_is_asked()
    {
        var system = SystemNames.Read(path + ".none");
        Assert.Equal(["127.0.0.1:53"], system.Servers.Select(static s => s.ToString()));
        Assert.Equal(["app"], system.Meant("app"));
    }

    [Fact]
    public void Hosts_are_read()
    {
        File.WriteAllText(path, "127.0.0.1\tlocalhost app # db\n::1 localhost APP.internal\n10.0.0.1 app app\nnonsense app\n");
        Assert.Equal(["127.0.0.1", "10.0.0.1"], SystemNames.Hosts("App.", path).Select(static a => a.ToString()));
        Assert.Equal(["::1"], SystemNames.Hosts("app.internal", path).Select(static a => a.ToString()));
        Assert.Empty(SystemNames.Hosts("db", path));
        Assert.Empty(SystemNames.Hosts("app", path + ".none"));
    }
}
