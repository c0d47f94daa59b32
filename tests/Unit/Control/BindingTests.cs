// What has been bound serves nobody before it is told to: whoever starts as root becomes another user in between.

using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Control;
using Weir.Control.Configuration;

namespace Weir.Tests.Unit.Control;

public sealed class BindingTests
{
    private static RunningProxy? Bind(string configuration, Func<string?> control, out bool isGood, out string said)
    {
        var diagnostics = new Diagnostics();
        var proxy = RunningProxy.TryBind(into => ConfigLoader.Read("weir.yaml", configuration, into, static _ => null), diagnostics, 1024, [], control, out isGood);
        said = diagnostics.ToString();
        return proxy;
    }

    [Fact]
    public void No_loop_turns_before_the_start_and_what_waited_is_served_then()
    {
        using var proxy = Bind(Running.Plain + "\nadmin: \"127.0.0.1:0\"", static () => null, out var isGood, out var said);
        Assert.True(isGood && proxy is not null, said);
        using var client = new TcpClient { ReceiveTimeout = 20_000 };
        client.Connect(IPAddress.Loopback, proxy.Engine.Addresses[0].Address.Port);
        client.GetStream().Write(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        Assert.All(proxy.Engine.Workers, static worker => Assert.Equal(0, worker.Loop.Turns));
        Assert.Equal(0, proxy.Engine.Occupancy.Accepted);
        proxy.Start();
        using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
        Assert.StartsWith("HTTP/1.1 200 ", reader.ReadToEnd(), StringComparison.Ordinal);
        proxy.Stop(new CancellationToken(canceled: true));
    }

    [Theory]
    [InlineData("nonsense: 1", false)]
    [InlineData("sites: [{ proxy: \"http://no-such-name.invalid:1\" }]", false)]
    [InlineData("user: no-such-user\nsites: [{ respond: 200 }]", false)]
    [InlineData("access_log: /no/such/folder/log\nsites: [{ respond: 200 }]", true)]
    [InlineData("error_log: /no/such/folder/log\nsites: [{ respond: 200 }]", true)]
    [InlineData("control: /proc/no/weir.sock\nsites: [{ respond: 200 }]", true)]
    public void What_fails_is_the_configurations_fault_or_the_machines(string configuration, bool isGood)
    {
        if (!configuration.Contains("error_log", StringComparison.Ordinal)) configuration += "\nerror_log: /dev/null";
        using var proxy = Bind("listen: \"127.0.0.1:0\"\nloops: 1\n" + configuration, static () => null, out var found, out var said);
        Assert.Null(proxy);
        Assert.True(found == isGood, said);
    }

    [Fact]
    public void An_address_in_use_is_told_where_it_is_written()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        using var proxy = Bind($"loops: 1\nerror_log: /dev/null\nlisten:\n  - \"127.0.0.1:0\"\n  - \"127.0.0.1:{port}\"\nsites: [{{ respond: 200 }}]", static () => null, out var isGood, out var said);
        Assert.Null(proxy);
        Assert.True(isGood);
        Assert.Equal($"weir.yaml:5:5: error: cannot listen on 127.0.0.1:{port}: the address is in use", said);
    }

    [Fact]
    public void What_takes_a_restart_is_told_where_it_is_written()
    {
        var watch = false;
        using var proxy = RunningProxy.TryBind(into => ConfigLoader.Read("weir.yaml", $"{Running.Plain}\nwatch: {(watch ? "true" : "false")}", into, static _ => null), new Diagnostics(), 1024, [], static () => null, out _);
        Assert.NotNull(proxy);
        watch = true;
        var line = Running.Plain.Split('\n').Length + 1;
        Assert.Equal($"weir.yaml:{line}:8: warning: watch has changed: it takes a restart", proxy.Reload().Text);
        proxy.Engine.Stop();
    }

    [Theory]
    [InlineData("control: {0}/own.sock", false)]
    [InlineData("state: {0}", false)]
    [InlineData("", true)]
    public void The_default_control_socket_is_asked_for_only_where_the_configuration_names_none(string configuration, bool isAsked)
    {
        var folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;
        var asked = false;
        using (var proxy = Bind($"{Running.Plain}\n{configuration.Replace("{0}", folder, StringComparison.Ordinal)}", Default, out _, out var said))
        {
            Assert.True(proxy is not null, said);
            Assert.Equal(isAsked, asked);
            Assert.StartsWith(folder, proxy.ControlPath, StringComparison.Ordinal);
            proxy.Engine.Stop();
        }

        Directory.Delete(folder, recursive: true);

        string Default()
        {
            asked = true;
            return folder + "/default.sock";
        }
    }
}
