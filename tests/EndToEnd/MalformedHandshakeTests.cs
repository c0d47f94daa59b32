// First messages that are broken, hostile or odd, on the built program: each is answered by an alert or an end, or, where it is odd
// only, by a server's first message. Nothing is told of them in the log, and others are served.

using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class MalformedHandshakeTests : IDisposable
{
    private const byte Handshake = 22;
    private const byte Alert = 21;

    private readonly string folder = Directory.CreateTempSubdirectory("weir-malformed-").FullName;
    private readonly WeirProcess weir;

    public MalformedHandshakeTests()
    {
        var pki = new Pki(folder);
        weir = WeirProcess.Start($"listen: {{ address: \"127.0.0.1:0\", tls: true }}\nlimits: {{ handshakes_per_client: 0 }}\nsites: [{{ hosts: [one.example], tls: {{ {Pki.Written(pki.Issue("one.example"))} }}, respond: 200 }}]\n");
    }

    public void Dispose()
    {
        weir.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Odd_first_messages_are_answered()
    {
        var good = Message(Hello());
        (string What, byte[] Sent)[] odd =
        [
            ("whole", Record(Handshake, good)),
            ("a byte a record", [.. good.SelectMany(static b => Record(Handshake, [b]))]),
            ("cut within its length", [.. Record(Handshake, good[..2]), .. Record(Handshake, good[2..])]),
            ("strange extensions by the thousand", Records(Message(Hello(more: [.. Enumerable.Range(0, 3_000).SelectMany(static i => Extension(1_000 + i, []))])))),
            ("a ticket of nobody's", Records(Message(Hello(more: [.. Extension(45, [1, 1]), .. Extension(41, [.. Sized([.. Sized(new byte[8_000]), 0, 0, 0, 0]), .. Sized([32, .. new byte[32]])])])))),
            ("early data of no session", [.. Records(Message(Hello(more: Extension(42, [])))), .. Record(23, new byte[500])]),
            ("no name", Record(Handshake, Message(Hello(name: null)))),
            ("a name that is an address", Record(Handshake, Message(Hello(name: "192.0.2.1"u8.ToArray())))),
            ("a name of odd bytes", Record(Handshake, Message(Hello(name: "\xff\x01../*"u8.ToArray())))),
            ("a session id of its longest", Record(Handshake, Message(Hello(session: 32)))),
        ];
        foreach (var (what, sent) in odd)
        {
            var got = Send(sent);
            Assert.True(got.Length > 5 && got[0] == Handshake && got[5] == 2, $"{what}: {Convert.ToHexString(got.AsSpan(0, Math.Min(got.Length, 16)))}");
        }

        StillServes();
    }

    [Fact]
    public void Broken_ones_are_refused_at_once()
    {
        var good = Message(Hello());
        (string What, byte[] Sent)[] broken =
        [
            ("nothing but zeros", new byte[40_000]),
            ("nothing but ones", [.. Enumerable.Repeat((byte)255, 40_000)]),
            ("SSL 2", [0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16, .. new byte[37]]),
            ("SSL 3", Record(Handshake, Message(Hello(version: 0x0300, versions: [])), 0x0300)),
            ("TLS 1.0", Record(Handshake, Message(Hello(version: 0x0301, versions: [])))),
            ("TLS 1.1", Record(Handshake, Message(Hello(version: 0x0302, versions: [])))),
            ("versions that are none", Record(Handshake, Message(Hello(versions: [0x7f, 0x99, 0, 0])))),
            ("a record of a strange version", Record(Handshake, good, 0x0909)),
            ("a record of a strange kind", Record(99, good)),
            ("a record that is too long", Record(Handshake, new byte[(1 << 14) + 2_049])),
            ("a record that says it is longer yet", [Handshake, 3, 1, 255, 255, 1]),
            ("empty records without end", [.. Enumerable.Repeat(Record(Handshake, []), 200).SelectMany(static r => r), .. Record(Handshake, good)]),
            ("a message of sixteen million bytes", Records([1, 255, 255, 255, .. new byte[200_000]])),
            ("a message that says it is shorter", Record(Handshake, [1, 0, 0, 40, .. good[4..]])),
            ("an end in the middle", Record(Handshake, good)[..60]),
            ("an end after a record's head", [Handshake, 3, 1, 0, 80]),
            ("a server's first message", Record(Handshake, [2, .. good[1..]])),
            ("the last message first", Record(Handshake, [20, 0, 0, 12, .. new byte[12]])),
            ("a change of keys", Record(Handshake, [24, 0, 0, 1, 1])),
            ("a client's key", Record(Handshake, [16, 0, 0, 33, 32, .. new byte[32]])),
            ("a message of a strange kind", Record(Handshake, [77, 0, 0, 0])),
            ("a request's bytes in the clear", Record(23, "GET / HTTP/1.1\r\n\r\n"u8.ToArray())),
            ("a heartbeat that asks for more than it brings", Record(24, [1, 0x40, 0])),
            ("changes of cipher without end", [.. Enumerable.Repeat(Record(20, [1]), 200).SelectMany(static r => r)]),
            ("warnings without end", [.. Enumerable.Repeat(Record(Alert, [1, 90]), 200).SelectMany(static r => r)]),
            ("an alert", Record(Alert, [2, 80])),
            ("half an alert", Record(Alert, [2])),
            ("a session id that is too long", Record(Handshake, Message(Hello(session: 33)))),
            ("a session id longer than all", Record(Handshake, Message([.. Hello()[..34], 255, .. Hello()[35..]]))),
            ("no ciphers", Record(Handshake, Message(Hello(ciphers: [])))),
            ("half a cipher", Record(Handshake, Message(Hello(ciphers: [0x13])))),
            ("ciphers that nobody speaks", Record(Handshake, Message(Hello(ciphers: [0xfa, 0xfa, 0, 0])))),
            ("an extension twice", Record(Handshake, Message(Hello(more: [.. Extension(23, []), .. Extension(23, [])])))),
            ("an extension longer than all", Record(Handshake, Message(Hello(more: [0x12, 0x34, 0xff, 0xff])))),
            ("half an extension", Record(Handshake, Message(Hello(more: [0x12, 0x34, 0])))),
            ("bytes behind the extensions", Record(Handshake, Message([.. Hello(), 1, 2, 3]))),
            ("a list of names that lies", Record(Handshake, Message(Hello(name: null, more: Extension(0, [0, 200, 0, 0, 3, 97, 98, 99]))))),
            ("two names", Record(Handshake, Message(Hello(name: null, more: Extension(0, Sized([0, 0, 1, 97, 0, 0, 1, 98])))))),
            ("a name with a zero", Record(Handshake, Message(Hello(name: "one.example\0.evil"u8.ToArray())))),
            ("a name that is too long", Record(Handshake, Message(Hello(name: new byte[5_000])))),
            ("a share of no point", Record(Handshake, Message(Hello(share: new byte[32])))),
            ("a share that is too short", Record(Handshake, Message(Hello(share: new byte[7])))),
            ("a ticket that does not stand last", Records(Message(Hello(more: [.. Extension(41, [.. Sized([.. Sized(new byte[80]), 0, 0, 0, 0]), .. Sized([32, .. new byte[32]])]), .. Extension(4_000, [])])))),
        ];
        foreach (var (what, sent) in broken)
        {
            var got = Send(sent);
            Assert.True(got.Length == 0 || got[0] == Alert, $"{what}: {Convert.ToHexString(got.AsSpan(0, Math.Min(got.Length, 16)))}");
        }

        StillServes();
    }

    [Fact]
    public void What_comes_out_of_order_behind_a_good_one_ends_it()
    {
        var first = Record(Handshake, Message(Hello()));
        (string What, byte[] Sent)[] later =
        [
            ("the same again", first),
            ("a message in the clear", Record(Handshake, [20, 0, 0, 12, .. new byte[12]])),
            ("what nobody has encrypted", Record(23, new byte[400])),
            ("a heartbeat", Record(24, [1, 0x40, 0])),
            ("a request to begin anew", Record(Handshake, [0, 0, 0, 0])),
            ("changes of cipher without end", [.. Enumerable.Repeat(Record(20, [1]), 1_000).SelectMany(static r => r)]),
        ];
        foreach (var (_, sent) in later) _ = Send([.. first, .. sent]); // It ends: else this would not return.
        StillServes();
    }

    // What chance makes of a good one; a seed that fails is replayed.
    [Fact]
    public void Whatever_chance_makes_of_one_ends()
    {
        var seed = Environment.TickCount;
        var chance = new Random(seed);
        var good = Record(Handshake, Message(Hello()));
        for (var i = 0; i < 300; i++)
        {
            var bytes = good.ToList();
            for (var edits = chance.Next(1, 4); edits > 0; edits--)
            {
                var at = chance.Next(bytes.Count);
                switch (chance.Next(4))
                {
                    case 0: bytes[at] = (byte)chance.Next(256); break;
                    case 1: bytes[at] ^= (byte)(1 << chance.Next(8)); break;
                    case 2: bytes.RemoveRange(at, Math.Min(chance.Next(1, 9), bytes.Count - at)); break;
                    default: bytes.InsertRange(at, Enumerable.Repeat((byte)chance.Next(256), chance.Next(1, 40))); break;
                }

                if (bytes.Count == 0) break;
            }

            var got = Send([.. bytes]);
            Assert.True(got.Length == 0 || got[0] is Alert or Handshake || Encoding.Latin1.GetString(got).StartsWith("HTTP/1.1 400 ", StringComparison.Ordinal), $"seed {seed}, {i}: {Convert.ToHexString(got)}");
        }

        StillServes();
    }

    [Fact]
    public void Nobody_renegotiates()
    {
        var said = Command.Run("sh", ["-c", $"echo R | openssl s_client -connect 127.0.0.1:{weir.Port} -servername one.example -tls1_2 2>&1"]).Output;
        Assert.Contains("RENEGOTIATING", said, StringComparison.Ordinal);
        Assert.Contains("no renegotiation", said, StringComparison.Ordinal);
        StillServes();
    }

    private void StillServes()
    {
        Assert.Contains(" 200 ", TlsClientStream.Ask(weir.Port, "one.example"), StringComparison.Ordinal);
        Assert.DoesNotContain(" error ", weir.Said, StringComparison.Ordinal);
        Assert.True(weir.Said.Count(static c => c == '\n') < 20, weir.Said);
    }

    /// <summary>Sends it and the end of what is sent; what comes until the other end.</summary>
    private byte[] Send(byte[] bytes)
    {
        using var stream = weir.Connect();
        using var all = new MemoryStream();
        try
        {
            stream.Write(bytes);
            stream.Socket.Shutdown(SocketShutdown.Send);
            stream.CopyTo(all);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // A reset is an end too; that nothing came in time is none.
            if ((e as SocketException ?? e.InnerException as SocketException)?.SocketErrorCode == SocketError.TimedOut) throw;
        }

        return all.ToArray();
    }

    private static byte[] Record(byte kind, byte[] content, int version = 0x0301) => [kind, (byte)(version >> 8), (byte)version, .. Sized(content)];

    // A message of any length, in records of theirs.
    private static byte[] Records(byte[] message) => [.. message.Chunk(1 << 14).SelectMany(static piece => Record(Handshake, piece))];

    private static byte[] Message(byte[] body) => [1, (byte)(body.Length >> 16), (byte)(body.Length >> 8), (byte)body.Length, .. body];

    private static byte[] Extension(int number, byte[] content) => [(byte)(number >> 8), (byte)number, .. Sized(content)];

    private static byte[] Sized(byte[] content)
    {
        var all = new byte[2 + content.Length];
        BinaryPrimitives.WriteUInt16BigEndian(all, (ushort)content.Length);
        content.CopyTo(all, 2);
        return all;
    }

    // RFC 8446 §4.1.2: what a client of today says.
    private static byte[] Hello(int version = 0x0303, byte[]? versions = null, int session = 0, byte[]? ciphers = null, byte[]? share = null, byte[]? more = null) => Hello("one.example"u8.ToArray(), version, versions, session, ciphers, share, more);

    private static byte[] Hello(byte[]? name, int version = 0x0303, byte[]? versions = null, int session = 0, byte[]? ciphers = null, byte[]? share = null, byte[]? more = null)
    {
        versions ??= [3, 4, 3, 3];
        share ??= [.. Enumerable.Range(1, 32).Select(static i => (byte)i)];
        byte[] extensions =
        [
            .. name is null ? [] : Extension(0, Sized([0, .. Sized(name)])),
            .. Extension(10, Sized([0, 29, 0, 23])),
            .. Extension(11, [1, 0]),
            .. Extension(13, Sized([4, 3, 8, 4, 4, 1])),
            .. versions.Length == 0 ? [] : Extension(43, [(byte)versions.Length, .. versions]),
            .. Extension(51, Sized([0, 29, .. Sized(share)])),
            .. more ?? [],
        ];
        return [(byte)(version >> 8), (byte)version, .. new byte[32], (byte)session, .. new byte[session], .. Sized(ciphers ?? [0x13, 1, 0x13, 2, 0xc0, 0x2b, 0xc0, 0x2f]), 1, 0, .. Sized(extensions)];
    }
}
