// Where log lines go: a file that can be reopened, standard output, or syslog. A target that fails drops lines, counts
// them, and is tried again; it never stops traffic. The writer thread's own.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Engine.Observe;

/// <summary>Takes lines.</summary>
public abstract class LogTarget
{
    private readonly byte[] batch = new byte[65536];
    private int filled;

    /// <summary>Lines lost because the target failed. Any thread.</summary>
    public long Lost { get; protected set; }

    /// <summary>What went wrong last; null: nothing.</summary>
    public string? Trouble { get; protected set; }

    /// <summary>Where lines go that could not be written; null: they are lost, and counted.</summary>
    public LogTarget? Instead { get; init; }

    /// <summary>Opens the target where that can be done beforehand; what is wrong, or null.</summary>
    public virtual string? TryOpen() => null;

    /// <summary>Gathers a line.</summary>
    public void Append(ReadOnlyMemory<byte> line)
    {
        if (line.Length > batch.Length - filled) Flush();
        if (line.Length > batch.Length)
        {
            Put(line.Span); // As a diagnostic that quotes what was written.
            return;
        }

        line.Span.CopyTo(batch.AsSpan(filled));
        filled += line.Length;
    }

    /// <summary>Writes what was gathered.</summary>
    public void Flush()
    {
        if (filled == 0) return;
        var lines = batch.AsSpan(0, filled);
        filled = 0;
        Put(lines);
    }

    /// <summary>Lets go of the target, so that the next write opens it anew.</summary>
    public abstract void Reopen();

    protected abstract void Write(ReadOnlySpan<byte> lines);

    private void Put(ReadOnlySpan<byte> lines)
    {
        try
        {
            Write(lines);
            Trouble = null;
        }
        catch (Exception trouble) when (trouble is IOException or UnauthorizedAccessException or SocketException or ArgumentException or NotSupportedException)
        {
            if (Instead is null) Lost += lines.Count((byte)'\n');
            else Instead.Put(lines);
            Trouble = trouble.Message;
            Reopen();
        }
    }
}

/// <summary>A file that is appended to, also by others, and may be cut by whoever rotates it.</summary>
public sealed class FileTarget(string path) : LogTarget
{
    private AppendedFile? file;

    /// <summary>The file's name.</summary>
    public string Path => path;

    public override string? TryOpen()
    {
        try
        {
            file ??= new AppendedFile(path);
            return null;
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    public override void Reopen()
    {
        file?.Dispose();
        file = null;
    }

    protected override void Write(ReadOnlySpan<byte> lines)
    {
        file ??= new AppendedFile(path);
        file.Append(lines);
    }
}

/// <summary>A stream that is always there, such as standard output.</summary>
public sealed class StreamTarget(Stream stream) : LogTarget
{
    public override void Reopen()
    {
    }

    protected override void Write(ReadOnlySpan<byte> lines)
    {
        stream.Write(lines);
        stream.Flush();
    }
}

/// <summary>
/// Syslog over UDP ("host:port"), as RFC 5424 has it, or over a local datagram socket ("unix:/dev/log"), where the C library's
/// older form is spoken and journald and rsyslog understand no other.
/// </summary>
public sealed class SyslogTarget(string address, string program) : LogTarget
{
    private const int LocalInfo = (16 * 8) + 6;

    private readonly byte[] prefix = Encoding.ASCII.GetBytes(IsLocal(address) ? $"<{LocalInfo}>{program}[{Environment.ProcessId}]: " : $"<{LocalInfo}>1 - - {program} - access - ");
    private readonly byte[] message = new byte[32 * 1024];
    private Socket? socket;

    /// <summary>Takes "host:port" or "[::1]:port" apart.</summary>
    public static bool TrySplit(string address, out string host, out int port)
    {
        var colon = address.LastIndexOf(':');
        host = colon < 0 ? "" : address[..colon];
        var isBracketed = host is ['[', .., ']'];
        if (isBracketed) host = host[1..^1];
        return int.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and < 65536
            && (isBracketed ? IPAddress.TryParse(host, out _) : Uri.CheckHostName(host) is UriHostNameType.Dns or UriHostNameType.IPv4);
    }

    public override void Reopen()
    {
        socket?.Dispose();
        socket = null;
    }

    protected override void Write(ReadOnlySpan<byte> lines)
    {
        socket ??= Connect();
        prefix.CopyTo(message, 0);
        foreach (var range in lines.Split((byte)'\n'))
        {
            var line = lines[range];
            if (line.IsEmpty) continue;
            line = line[..Math.Min(line.Length, message.Length - prefix.Length)];
            line.CopyTo(message.AsSpan(prefix.Length));
            socket.Send(message.AsSpan(0, prefix.Length + line.Length));
        }
    }

    private static bool IsLocal(string address) => address.StartsWith("unix:", StringComparison.Ordinal);

    private Socket Connect()
    {
        if (IsLocal(address))
        {
            var local = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
            local.Connect(new UnixDomainSocketEndPoint(address[5..]));
            return local;
        }

        if (!TrySplit(address, out var host, out var port)) throw new IOException($"'{address}' is not HOST:PORT");
        var ip = IPAddress.TryParse(host, out var literal) ? literal : Dns.GetHostAddresses(host)[0];
        var udp = new Socket(ip.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
        udp.Connect(ip, port);
        return udp;
    }
}
