// A web server of the distribution with WebDAV and git behind it.

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Support;

/// <summary>A running lighttpd in a folder of its own; stopped when disposed.</summary>
public sealed class Lighttpd : IDisposable
{
    private readonly Process process;

    public Lighttpd()
    {
        Folder = Directory.CreateTempSubdirectory("weir-lighttpd-").FullName;
        foreach (var name in (string[])["root", "root/dav", "git", "tmp"]) Directory.CreateDirectory(Path.Combine(Folder, name));
        Port = FreePort();
        var file = Path.Combine(Folder, "lighttpd.conf");
        File.WriteAllText(file, $$"""
            server.modules = ("mod_webdav", "mod_cgi", "mod_setenv", "mod_alias")
            server.document-root = "{{Folder}}/root"
            server.bind = "127.0.0.1"
            server.port = {{Port}}
            server.upload-dirs = ("{{Folder}}/tmp")
            alias.url = ("/git/" => "/usr/lib/git-core/git-http-backend/")
            $HTTP["url"] =~ "^/dav/" { webdav.activate = "enable" webdav.sqlite-db-name = "{{Folder}}/dav.db" }
            $HTTP["url"] =~ "^/git/" { cgi.assign = ("" => "") setenv.add-environment = ("GIT_PROJECT_ROOT" => "{{Folder}}/git", "GIT_HTTP_EXPORT_ALL" => "1", "REMOTE_USER" => "test") }
            """);
        process = Process.Start(new ProcessStartInfo("/usr/sbin/lighttpd", ["-D", "-f", file]) { RedirectStandardError = true })!;
        process.BeginErrorReadLine();
        for (var tries = 0; !Answers(); tries++)
        {
            if (tries == 1000 || process.HasExited) throw new InvalidOperationException("lighttpd did not start");
            Thread.Sleep(10);
        }
    }

    public string Folder { get; }

    public int Port { get; }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A port that was free a moment ago, for programs that cannot be told to choose one.</summary>
    public static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    private bool Answers()
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
