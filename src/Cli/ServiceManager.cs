// systemd: being told of sockets (sd_listen_fds) and telling how we are (sd_notify), without its library.

using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Weir.Cli;

internal static class ServiceManager
{
    private const int FirstDescriptor = 3;

    /// <summary>Listening sockets handed down by the service manager.</summary>
    public static int[] ListeningDescriptors()
    {
        if (Environment.GetEnvironmentVariable("LISTEN_PID") != Environment.ProcessId.ToString(CultureInfo.InvariantCulture)) return [];
        return int.TryParse(Environment.GetEnvironmentVariable("LISTEN_FDS"), CultureInfo.InvariantCulture, out var count) && count is > 0 and < 256 ? [.. Enumerable.Range(FirstDescriptor, count)] : [];
    }

    /// <summary>Tells the service manager; does nothing where there is none.</summary>
    public static void Notify(string state)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 0 } path) return;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
            socket.Send(Encoding.UTF8.GetBytes(state));
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            // A service manager that does not listen is none of our trouble.
        }
    }
}
