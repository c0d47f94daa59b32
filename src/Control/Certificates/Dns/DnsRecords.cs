// Messages of the DNS beyond what looking up servers needs: all records of an answer, and sending any message to one server.
// Whatever comes, reading ends; what cannot be read is as if it had not come.

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Weir.Control.Discovery;

namespace Weir.Control.Certificates.Dns;

/// <summary>A record of an answer; the name is what an alias, a name server or an authority names.</summary>
internal readonly record struct DnsRecord(string Owner, DnsType Type, byte[] Data, string? Name);

/// <summary>What a server answered.</summary>
internal sealed record DnsReply(int Code, DnsRecord[] Records, byte[] Bytes);

internal static class DnsTalk
{
    private const int Head = 12;
    private const int MostRecords = 1_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Asks one server; null: it does not answer.</summary>
    public static async Task<DnsReply?> AskAsync(IPEndPoint server, string name, DnsType type, TimeProvider time, CancellationToken stop) =>
        await SendAsync(server, DnsMessage.Ask((ushort)RandomNumberGenerator.GetInt32(0x10000), name, type, withOptions: false), time, stop).ConfigureAwait(false);

    /// <summary>Sends a message, twice by UDP, and by TCP where it is long or the answer is cut; null: nobody answers.</summary>
    public static async Task<DnsReply?> SendAsync(IPEndPoint server, byte[] message, TimeProvider time, CancellationToken stop)
    {
        const int MostDatagram = 512;
        for (var tries = 0; tries < 2; tries++)
        {
            using var limit = new CancellationTokenSource(Patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
            try
            {
                var answer = message.Length <= MostDatagram ? await ByDatagramAsync(server, message, either.Token).ConfigureAwait(false) : null;
                if (answer is null || (answer[2] & 2) != 0) answer = await ByStreamAsync(server, message, either.Token).ConfigureAwait(false);
                if (answer is not null && TryRead(answer, out var reply)) return reply;
            }
            catch (OperationCanceledException)
            {
                stop.ThrowIfCancellationRequested();
            }
            catch (SocketException)
            {
                // As if it were silent.
            }
        }

        return null;
    }

    /// <summary>A name as it goes over the wire, in lower case.</summary>
    public static byte[] Name(string name)
    {
        var bytes = new List<byte>();
        foreach (var label in name.TrimEnd('.').Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label.ToLowerInvariant()));
        }

        return [.. bytes, 0];
    }

    /// <summary>The records of all sections of an answer, those of the last (TSIG) too.</summary>
    public static bool TryRead(byte[] message, out DnsReply? reply)
    {
        reply = null;
        var at = Head;
        for (var questions = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(4)); questions > 0; questions--)
        {
            if (!DnsMessage.TryReadName(message, ref at, out _) || message.Length - at < 4) return false;
            at += 4;
        }

        var count = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(6)) + BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(8)) + BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(10));
        if (count > MostRecords) return false;
        var records = new DnsRecord[count];
        for (var i = 0; i < count; i++)
        {
            if (!DnsMessage.TryReadName(message, ref at, out var owner) || message.Length - at < 10) return false;
            var type = (DnsType)BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at));
            var length = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at + 8));
            at += 10;
            if (message.Length - at < length) return false;
            var place = at;
            string? named = null;
            if (type is DnsType.Alias or DnsType.NameServer or DnsType.Authority && !DnsMessage.TryReadName(message.AsSpan(0, at + length), ref place, out named)) return false;
            records[i] = new DnsRecord(owner!, type, message[at..(at + length)], named);
            at += length;
        }

        reply = new DnsReply(message[3] & 0x0F, records, message);
        return true;
    }

    private static async Task<byte[]?> ByDatagramAsync(IPEndPoint server, byte[] message, CancellationToken stop)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, stop).ConfigureAwait(false);
        await socket.SendAsync(message, stop).ConfigureAwait(false);
        var buffer = new byte[4096];
        while (true)
        {
            var length = await socket.ReceiveAsync(buffer, stop).ConfigureAwait(false);
            if (IsAnswer(buffer.AsSpan(0, length), message)) return buffer[..length];
        }
    }

    private static async Task<byte[]?> ByStreamAsync(IPEndPoint server, byte[] message, CancellationToken stop)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, stop).ConfigureAwait(false);
        using var stream = new NetworkStream(socket);
        await stream.WriteAsync((byte[])[(byte)(message.Length >> 8), (byte)message.Length, .. message], stop).ConfigureAwait(false);
        try
        {
            var length = new byte[2];
            await stream.ReadExactlyAsync(length, stop).ConfigureAwait(false);
            var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
            await stream.ReadExactlyAsync(answer, stop).ConfigureAwait(false);
            return IsAnswer(answer, message) ? answer : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    // The same number, an answer, of the same kind.
    private static bool IsAnswer(ReadOnlySpan<byte> answer, ReadOnlySpan<byte> message) =>
        answer.Length >= Head && answer[0] == message[0] && answer[1] == message[1] && (answer[2] & 0xF8) == ((message[2] & 0x78) | 0x80);
}
