// The unit files: what systemd makes of them, and what docs/operations/running.md promises of them.

using Weir.Tests.Support;

namespace Weir.Tests.Architecture;

public class PackagingTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "packaging");

    [Fact]
    public void Systemd_understands_every_line()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/systemd-analyze"), "systemd-analyze is not here");
        var folder = Directory.CreateTempSubdirectory("weir-units-").FullName;
        try
        {
            // The program need not be installed where the unit says.
            foreach (var name in new[] { "weir.service", "weir.socket" })
                File.WriteAllText(Path.Combine(folder, name), File.ReadAllText(Path.Combine(Folder, name)).Replace("/usr/bin/weir", "/bin/true", StringComparison.Ordinal));
            var (code, output, error) = Command.Run("systemd-analyze", ["verify", Path.Combine(folder, "weir.service"), Path.Combine(folder, "weir.socket")]);
            // A line that it does not know it only tells of.
            Assert.DoesNotContain(folder, output + error, StringComparison.Ordinal);
            Assert.True(code == 0, output + error);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_service_says_what_is_promised_of_it()
    {
        var service = Read("weir.service");
        // notify-reload and ReloadSignal are newer than the systemd of Debian 12 and RHEL 9, which ignore them.
        Assert.Contains(("Type", "notify"), service);
        Assert.Contains(("ExecReload", "/bin/kill -HUP $MAINPID"), service);
        Assert.Contains(("ExecReload", "/usr/bin/weir check /etc/weir/weir.yaml"), service);
        Assert.Contains(("StateDirectory", "weir"), service);
        Assert.Contains(("LogsDirectory", "weir"), service);
        Assert.Contains(("DynamicUser", "yes"), service);
        Assert.Contains(("RestartPreventExitStatus", "2"), service);
        Assert.Contains(("AmbientCapabilities", "CAP_NET_BIND_SERVICE"), service);
        Assert.Contains(("CapabilityBoundingSet", "CAP_NET_BIND_SERVICE"), service);
        foreach (var hardening in new[] { "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules", "ProtectControlGroups", "RestrictNamespaces", "LockPersonality" })
            Assert.Contains((hardening, "yes"), service);
        Assert.Contains(("ProtectSystem", "strict"), service);
        Assert.Contains(("SystemCallFilter", "@system-service"), service);
    }

    [Fact]
    public void The_socket_belongs_to_the_service_of_its_name()
    {
        var socket = Read("weir.socket");
        Assert.Contains(("ListenStream", "80"), socket);
        Assert.Contains(("WantedBy", "sockets.target"), socket);
        Assert.DoesNotContain(socket, static line => line.Name is "Accept" or "Service"); // One program for all connections: weir.service.
    }

    private static List<(string Name, string Value)> Read(string unit) =>
        [.. File.ReadLines(Path.Combine(Folder, unit)).Where(static l => l.Contains('=', StringComparison.Ordinal) && l[0] != '#').Select(static l => l.Split('=', 2)).Select(static p => (p[0], p[1]))];
}
