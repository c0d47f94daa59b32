// An address as the kernel wants it: IPv4, IPv6 or Unix socket, in its native layout.

using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Engine.Transports;

/// <summary>An address to listen on or connect to. Immutable; any thread.</summary>
public sealed class NetworkAddress : IEquatable<NetworkAddress>
{
    /// <summary>Bytes that the path of a Unix socket may have.</summary>
    public const int LongestUnixPath = 107;

    private const ushort Unix = 1;
    private const ushort Inet = 2;
    private const ushort Inet6 = 10;

    private readonly byte[] native;

    private NetworkAddress(byte[] native, IPAddress? ip, int port, string? path)
    {
        this.native = native;
        Ip = ip;
        Port = port;
        Path = path;
    }

    /// <summary>Where nothing is known: an unnamed Unix peer.</summary>
    public static NetworkAddress None { get; } = new(BitConverter.GetBytes(Unix), null, 0, null);

    /// <summary>The address, for IPv4 and IPv6.</summary>
    public IPAddress? Ip { get; }

    public int Port { get; }

    /// <summary>The path of a Unix socket; a leading '@' stands for the abstract namespace.</summary>
    public string? Path { get; }

    public bool IsUnix => native[0] == Unix;

    /// <summary>Whether it is a Unix socket with a name in the file system.</summary>
    public bool HasFile => Path is { } path && path[0] != '@';

    /// <summary>The bytes of the C structure (sockaddr_in, _in6, _un).</summary>
    public ReadOnlySpan<byte> Native => native;

    internal int Family => native[0];

    public static NetworkAddress FromIp(IPAddress ip, int port)
    {
        byte[] bytes;
        if (ip.AddressFamily == AddressFamily.InterNetwork)
        {
            bytes = new byte[16];
            bytes[0] = (byte)Inet;
            ip.TryWriteBytes(bytes.AsSpan(4), out _);
        }
        else
        {
            bytes = new byte[28];
            bytes[0] = (byte)Inet6;
            ip.TryWriteBytes(bytes.AsSpan(8), out _);
            BitConverter.TryWriteBytes(bytes.AsSpan(24), (uint)ip.ScopeId);
        }

        bytes[2] = (byte)(port >> 8);
        bytes[3] = (byte)port;
        return new NetworkAddress(bytes, ip, port, null);
    }

    /// <exception cref="ArgumentException">The path is longer than a Unix socket's may be.</exception>
    public static NetworkAddress FromPath(string path)
    {
        var count = Encoding.UTF8.GetByteCount(path);
        if (count is 0 or > LongestUnixPath) throw new ArgumentException($"a Unix socket's path has 1 to {LongestUnixPath} bytes", nameof(path));
        var isAbstract = path[0] == '@';
        var bytes = new byte[2 + count + (isAbstract ? 0 : 1)];
        bytes[0] = (byte)Unix;
        Encoding.UTF8.GetBytes(path, bytes.AsSpan(2));
        if (isAbstract) bytes[2] = 0;
        return new NetworkAddress(bytes, null, 0, path);
    }

    /// <summary>Reads what the kernel gave back; never fails. IPv4 mapped into IPv6 becomes plain IPv4.</summary>
    public static NetworkAddress FromNative(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= 16 && bytes[0] == Inet) return FromIp(new IPAddress(bytes.Slice(4, 4)), (bytes[2] << 8) | bytes[3]);
        if (bytes.Length >= 28 && bytes[0] == Inet6)
        {
            var ip = new IPAddress(bytes.Slice(8, 16), BitConverter.ToUInt32(bytes[24..]));
            return FromIp(ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip, (bytes[2] << 8) | bytes[3]);
        }

        if (bytes.Length <= 3) return None;
        var isAbstract = bytes[2] == 0;
        var name = bytes[(isAbstract ? 3 : 2)..];
        if (!isAbstract && name.IndexOf((byte)0) is >= 0 and var end) name = name[..end];
        // What a peer calls itself may be any bytes, one more than a path of ours.
        if (name.IsEmpty || name.Length + (isAbstract ? 1 : 0) > LongestUnixPath || !System.Text.Unicode.Utf8.IsValid(name)) return None;
        return FromPath((isAbstract ? "@" : "") + Encoding.UTF8.GetString(name));
    }

    public bool Equals(NetworkAddress? other) => other is not null && native.AsSpan().SequenceEqual(other.native);

    public override bool Equals(object? obj) => Equals(obj as NetworkAddress);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(native);
        return hash.ToHashCode();
    }

    public override string ToString() => Ip is not null ? new IPEndPoint(Ip, Port).ToString() : Path is null ? "unix:" : "unix:" + Path;
}
