// Asks name servers: by UDP from a port and with a number that cannot be guessed, by TCP where the answer is cut. Each server
// has its part of the time; one that refuses makes room for the next at once. An answer counts only where it comes from the
// server asked and repeats the question: everything else is as if it had not come.

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Weir.Control.Discovery;

/// <summary>Asks servers, in their order, until one knows.</summary>
internal static class NameServers
{
    /// <param name="servers">Whom to ask.</param>
    /// <param name="name">A whole name.</param>
    /// <param name="type">What of it.</param>
    /// <param name="timeout">The time for all of it, in ms.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>What was found, and who said so or failed to.</returns>
    public static async Task<(DnsAnswer Answer, IPEndPoint? By)> AskAsync(IPEndPoint[] servers, string name, DnsType type, long timeout, CancellationToken stop)
    {
        var last = (Answer: DnsAnswer.Nothing(DnsOutcome.Silent), By: servers.FirstOrDefault());
        var until = Environment.TickCount64 + timeout;
        // A datagram may be lost: one server is asked twice.
        var tries = Math.Max(2, servers.Length);
        for (var i = 0; i < tries && servers.Length > 0; i++)
        {
            var part = (until - Environment.TickCount64) / (tries - i);
            if (part <= 0) break;
            var server = servers[i % servers.Length];
            var answer = await AskOneAsync(server, name, type, part, stop).ConfigureAwait(false);
            if (answer.Outcome is DnsOutcome.Found or DnsOutcome.Empty or DnsOutcome.NoSuchName) return (answer, server);
            last = (answer, server);
        }

        return last;
    }

    private static async Task<DnsAnswer> AskOneAsync(IPEndPoint server, string name, DnsType type, long timeout, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(TimeSpan.FromMilliseconds(timeout));
        try
        {
            var answer = await ByDatagramAsync(server, name, type, withOptions: true, limit.Token).ConfigureAwait(false);
            if (answer.Outcome == DnsOutcome.NoOptions) answer = await ByDatagramAsync(server, name, type, withOptions: false, limit.Token).ConfigureAwait(false);
            if (answer.Outcome == DnsOutcome.Truncated) answer = await ByStreamAsync(server, name, type, limit.Token).ConfigureAwait(false);
            return answer.Outcome is DnsOutcome.NoOptions ? DnsAnswer.Nothing(DnsOutcome.Refused) : answer;
        }
        catch (OperationCanceledException)
        {
            stop.ThrowIfCancellationRequested();
            return DnsAnswer.Nothing(DnsOutcome.Silent);
        }
        catch (SocketException)
        {
            return DnsAnswer.Nothing(DnsOutcome.Refused);
        }
    }

    private static async Task<DnsAnswer> ByDatagramAsync(IPEndPoint server, string name, DnsType type, bool withOptions, CancellationToken stop)
    {
        // Connected, so that the kernel drops what others send; a socket for each question, so that each has a port of its own.
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, stop).ConfigureAwait(false);
        var id = NewId();
        await socket.SendAsync(DnsMessage.Ask(id, name, type, withOptions), stop).ConfigureAwait(false);
        var buffer = new byte[4096];
        while (true)
        {
            var length = await socket.ReceiveAsync(buffer, stop).ConfigureAwait(false);
            var answer = DnsMessage.Read(buffer.AsSpan(0, length), id, name, type);
            if (answer.Outcome != DnsOutcome.Foreign) return answer;
        }
    }

    private static async Task<DnsAnswer> ByStreamAsync(IPEndPoint server, string name, DnsType type, CancellationToken stop)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, stop).ConfigureAwait(false);
        var id = NewId();
        var question = DnsMessage.Ask(id, name, type, withOptions: false);
        var framed = new byte[question.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)question.Length);
        question.CopyTo(framed, 2);
        for (var sent = 0; sent < framed.Length;) sent += await socket.SendAsync(framed.AsMemory(sent), stop).ConfigureAwait(false);
        var length = new byte[2];
        if (!await FillAsync(socket, length, stop).ConfigureAwait(false)) return DnsAnswer.Nothing(DnsOutcome.Refused);
        var message = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        if (!await FillAsync(socket, message, stop).ConfigureAwait(false)) return DnsAnswer.Nothing(DnsOutcome.Refused);
        var answer = DnsMessage.Read(message, id, name, type);
        return answer.Outcome is DnsOutcome.Foreign or DnsOutcome.Truncated ? DnsAnswer.Nothing(DnsOutcome.Malformed) : answer;
    }

    private static async Task<bool> FillAsync(Socket socket, Memory<byte> buffer, CancellationToken stop)
    {
        while (buffer.Length > 0)
        {
            var got = await socket.ReceiveAsync(buffer, stop).ConfigureAwait(false);
            if (got == 0) return false;
            buffer = buffer[got..];
        }

        return true;
    }

    private static ushort NewId() => (ushort)RandomNumberGenerator.GetInt32(0x10000);
}
