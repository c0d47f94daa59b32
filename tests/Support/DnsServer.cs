// A name server on loopback that says what it is told to: over UDP and TCP on one port, with aliases, cut answers, answers
// from elsewhere, errors and silence.

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>A name server under test's control.</summary>
public sealed class DnsServer : IDisposable
{
    /// <summary>Types of records.</summary>
    public const ushort A = 1, Alias = 5, Aaaa = 28, Srv = 33;

    private readonly Socket datagrams;
    private readonly Socket streams;
    private readonly Dictionary<(string Name, ushort Type), List<(uint Ttl, byte[] Data)>> records = [];
    private readonly List<(string Name, ushort Type, bool IsStream)> asked = [];

    public DnsServer()
    {
        while (true)
        {
            datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            datagrams.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            End = (IPEndPoint)datagrams.LocalEndPoint!;
            streams = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                streams.Bind(End);
                break;
            }
            catch (SocketException)
            {
                // That port is somebody else's for TCP.
                datagrams.Dispose();
                streams.Dispose();
            }
        }

        streams.Listen(64);
        new Thread(ServeDatagrams) { IsBackground = true }.Start();
        new Thread(ServeStreams) { IsBackground = true }.Start();
    }

    public IPEndPoint End { get; }

    /// <summary>Says nothing at all.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Says nothing of this type.</summary>
    public ushort SilentOn { get; set; }

    /// <summary>The code of every answer: 2 cannot, 3 no such name, 5 will not. 0: as the records are.</summary>
    public int Code { get; set; }

    /// <summary>Bytes of a datagram beyond which an answer is cut.</summary>
    public int Cut { get; set; } = 1232;

    /// <summary>Refuses questions with options, as servers of old.</summary>
    public bool IsOld { get; set; }

    /// <summary>Makes an answer of its own; null: the usual one.</summary>
    public Func<byte[], byte[], byte[]>? Twist { get; set; }

    /// <summary>Answers from another port.</summary>
    public bool FromElsewhere { get; set; }

    /// <summary>Questions so far.</summary>
    public (string Name, ushort Type, bool IsStream)[] Asked
    {
        get
        {
            lock (records) return [.. asked];
        }
    }

    public void Set(string name, uint ttl, params string[] addresses)
    {
        lock (records)
        {
            foreach (var type in new[] { A, Aaaa }) records.Remove((name, type));
            foreach (var ip in addresses.Select(IPAddress.Parse)) Add(name, ip.AddressFamily == AddressFamily.InterNetwork ? A : Aaaa, ttl, ip.GetAddressBytes());
        }
    }

    public void SetAlias(string name, uint ttl, string target)
    {
        lock (records)
        {
            records.Remove((name, Alias));
            Add(name, Alias, ttl, Name(target));
        }
    }

    public void SetServices(string name, uint ttl, params (int Priority, int Weight, int Port, string Target)[] services)
    {
        lock (records)
        {
            records[(name, Srv)] = [];
            foreach (var (priority, weight, port, target) in services)
            {
                var data = new byte[6];
                BinaryPrimitives.WriteUInt16BigEndian(data, (ushort)priority);
                BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(2), (ushort)weight);
                BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(4), (ushort)port);
                Add(name, Srv, ttl, [.. data, .. Name(target)]);
            }
        }
    }

    public void Remove(string name)
    {
        lock (records)
        {
            foreach (var key in records.Keys.Where(k => k.Name == name).ToArray()) records.Remove(key);
        }
    }

    /// <summary>A name as it is written.</summary>
    public static byte[] Name(string name) => [.. name.Split('.', StringSplitOptions.RemoveEmptyEntries).SelectMany(static l => Encoding.ASCII.GetBytes(l).Prepend((byte)l.Length)), 0];

    public void Dispose()
    {
        datagrams.Dispose();
        streams.Dispose();
    }

    private void Add(string name, ushort type, uint ttl, byte[] data)
    {
        if (!records.TryGetValue((name, type), out var list)) records[(name, type)] = list = [];
        list.Add((ttl, data));
    }

    private void ServeDatagrams()
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var buffer = new byte[4096];
        while (true)
        {
            try
            {
                EndPoint from = new IPEndPoint(IPAddress.Any, 0);
                var length = datagrams.ReceiveFrom(buffer, ref from);
                if (Answer(buffer.AsSpan(0, length).ToArray(), isStream: false) is { } answer) (FromElsewhere ? other : datagrams).SendTo(answer, from);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                if (e is ObjectDisposedException || datagrams.SafeHandle.IsClosed) return;
            }
        }
    }

    private void ServeStreams()
    {
        while (true)
        {
            try
            {
                var socket = streams.Accept();
                new Thread(() => ServeStream(socket)) { IsBackground = true }.Start();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private void ServeStream(Socket socket)
    {
        using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            var length = new byte[2];
            stream.ReadExactly(length);
            var question = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
            stream.ReadExactly(question);
            if (Answer(question, isStream: true) is not { } answer) return;
            BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)answer.Length);
            // In pieces, as a network may bring it.
            stream.Write(length.AsSpan(0, 1));
            stream.Write([length[1], .. answer]);
        }
        catch (IOException)
        {
            // The client left.
        }
    }

    private byte[]? Answer(byte[] question, bool isStream)
    {
        var at = 12;
        var labels = new List<string>();
        for (; question[at] != 0; at += question[at] + 1) labels.Add(Encoding.ASCII.GetString(question, at + 1, question[at]));
        var (name, type) = (string.Join('.', labels).ToLowerInvariant(), BinaryPrimitives.ReadUInt16BigEndian(question.AsSpan(at + 1)));
        var end = at + 5;
        var hasOptions = question[11] != 0;
        lock (records)
        {
            asked.Add((name, type, isStream));
            if (IsSilent || SilentOn == type) return null;
            byte[] head = [question[0], question[1], 0x81, (byte)(0x80 | Code), 0, 1, 0, 0, 0, 0, 0, 0, .. question[12..end]];
            if (IsOld && hasOptions) return Twisted(question, [question[0], question[1], 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
            if (Code != 0) return Twisted(question, head);
            var (body, count, owner) = (new List<byte>(), 0, name);
            while (records.TryGetValue((owner, Alias), out var alias) && count < 20)
            {
                Write(body, owner, Alias, alias[0]);
                count++;
                owner = Read(alias[0].Data);
            }

            foreach (var record in records.GetValueOrDefault((owner, type)) ?? [])
            {
                Write(body, owner, type, record);
                count++;
            }

            if (count == 0 && !records.Keys.Any(k => k.Name == name)) head[3] |= 3;
            BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(6), (ushort)count);
            byte[] whole = [.. head, .. body];
            if (isStream || whole.Length <= (hasOptions ? Cut : Math.Min(Cut, 512))) return Twisted(question, whole);
            head[2] |= 2;
            BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(6), 0);
            return Twisted(question, head);
        }
    }

    private byte[] Twisted(byte[] question, byte[] answer) => Twist?.Invoke(question, answer) ?? answer;

    private static void Write(List<byte> to, string owner, ushort type, (uint Ttl, byte[] Data) record)
    {
        var fixedPart = new byte[10];
        BinaryPrimitives.WriteUInt16BigEndian(fixedPart, type);
        BinaryPrimitives.WriteUInt16BigEndian(fixedPart.AsSpan(2), 1);
        BinaryPrimitives.WriteUInt32BigEndian(fixedPart.AsSpan(4), record.Ttl);
        BinaryPrimitives.WriteUInt16BigEndian(fixedPart.AsSpan(8), (ushort)record.Data.Length);
        to.AddRange([.. Name(owner), .. fixedPart, .. record.Data]);
    }

    private static string Read(byte[] name)
    {
        var labels = new List<string>();
        for (var at = 0; name[at] != 0; at += name[at] + 1) labels.Add(Encoding.ASCII.GetString(name, at + 1, name[at]));
        return string.Join('.', labels);
    }
}
