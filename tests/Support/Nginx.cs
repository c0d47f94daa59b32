// A web server of the distribution with server blocks of a test's own.

using System.Diagnostics;
using System.Net.Sockets;

namespace Weir.Tests.Support;

/// <summary>A running nginx in a folder of its own; stopped when disposed.</summary>
public sealed class Nginx : IDisposable
{
    private readonly Process process;

    /// <param name="servers">Server blocks, given free ports.</param>
    /// <param name="ports">How many ports they need.</param>
    public Nginx(Func<int[], string> servers, int ports = 1)
    {
        Folder = Directory.CreateTempSubdirectory("weir-nginx-").FullName;
        Ports = [.. Enumerable.Range(0, ports).Select(static _ => Lighttpd.FreePort())];
        var file = Path.Combine(Folder, "nginx.conf");
        File.WriteAllText(file, $$"""
            worker_processes 1; daemon off; master_process off; pid {{Folder}}/pid; error_log stderr crit;
            events { worker_connections 1024; }
            http {
              access_log off; client_max_body_size 0;
              client_body_temp_path {{Folder}}/b; proxy_temp_path {{Folder}}/p; fastcgi_temp_path {{Folder}}/f; uwsgi_temp_path {{Folder}}/u; scgi_temp_path {{Folder}}/s;
              {{servers(Ports)}}
            }
            """);
        process = Process.Start(new ProcessStartInfo("/usr/sbin/nginx", ["-c", file, "-p", Folder]) { RedirectStandardError = true })!;
        process.BeginErrorReadLine();
        Eventually.Holds(() => process.HasExited || Ports.All(Listens), () => "nginx did not start");
        if (process.HasExited) throw new InvalidOperationException("nginx did not start");
    }

    public string Folder { get; }

    public int[] Ports { get; }

    public int Port => Ports[0];

    public void Dispose()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static bool Listens(int port)
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(System.Net.IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
