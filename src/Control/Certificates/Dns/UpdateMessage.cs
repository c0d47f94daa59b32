// Updates of a zone (RFC 2136), signed and their answers checked by TSIG with hmac-sha256 (RFC 8945). Pure.

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Weir.Control.Discovery;

namespace Weir.Control.Certificates.Dns;

internal static class UpdateMessage
{
    private const ushort Internet = 1;
    private const ushort None = 254;
    private const ushort Any = 255;
    private const ushort Signature = 250;
    private const ushort Fudge = 300;
    private const int MacBytes = 32;

    private static readonly byte[] Algorithm = DnsTalk.Name("hmac-sha256");

    /// <summary>Adds a TXT record, or takes that one away.</summary>
    public static byte[] Make(ushort id, string zone, string name, string value, int ttl, bool isAdded)
    {
        var text = Encoding.ASCII.GetBytes(value);
        var message = new List<byte> { (byte)(id >> 8), (byte)id, 5 << 3, 0, 0, 1, 0, 0, 0, 1, 0, 0 };
        message.AddRange(DnsTalk.Name(zone));
        Put(message, (ushort)DnsType.Authority, Internet);
        message.AddRange(DnsTalk.Name(name));
        Put(message, (ushort)DnsType.Text, isAdded ? Internet : None);
        Put(message, (ushort)((isAdded ? ttl : 0) >> 16), (ushort)(isAdded ? ttl : 0), (ushort)(text.Length + 1));
        return [.. message, (byte)text.Length, .. text];
    }

    /// <summary>Signs a message.</summary>
    /// <param name="message">Without a signature.</param>
    /// <param name="key">The key's name.</param>
    /// <param name="secret">The key.</param>
    /// <param name="now">When.</param>
    /// <param name="mac">What it is signed with, which the answer's signature covers too.</param>
    public static byte[] Sign(byte[] message, string key, byte[] secret, DateTimeOffset now, out byte[] mac)
    {
        var time = Time(now);
        mac = HMACSHA256.HashData(secret, (byte[])[.. message, .. Variables(key, time, Fudge, 0, [])]);
        var signed = new List<byte>(message);
        signed[11]++;
        signed.AddRange(DnsTalk.Name(key));
        Put(signed, Signature, Any, 0, 0, (ushort)(Algorithm.Length + 6 + 2 + 2 + MacBytes + 6));
        signed.AddRange(Algorithm);
        signed.AddRange(time);
        Put(signed, Fudge, MacBytes);
        signed.AddRange(mac);
        signed.AddRange(message[..2]);
        Put(signed, 0, 0);
        return [.. signed];
    }

    /// <summary>What an answer says: null: it is done; else why not, in words.</summary>
    public static string? Outcome(DnsReply reply, string key, byte[] secret, byte[] requestMac, DateTimeOffset now)
    {
        if (reply.Records is not [.., { Type: (DnsType)Signature } last] || !TryFind(reply.Bytes, out var start) || last.Data.Length < Algorithm.Length + 16) return reply.Code == 0 ? "its answer is not signed" : Word(reply.Code, 0);
        var data = last.Data.AsSpan(Algorithm.Length);
        if (!last.Data.AsSpan(0, Algorithm.Length).SequenceEqual(Algorithm)) return "its answer is signed in another way";
        var macLength = BinaryPrimitives.ReadUInt16BigEndian(data[8..]);
        if (data.Length < 10 + macLength + 6) return "its answer cannot be read";
        var error = BinaryPrimitives.ReadUInt16BigEndian(data[(10 + macLength + 2)..]);
        if (macLength == 0) return Word(reply.Code, error);
        var unsigned = reply.Bytes[..start];
        BinaryPrimitives.WriteUInt16BigEndian(unsigned.AsSpan(10), (ushort)(BinaryPrimitives.ReadUInt16BigEndian(unsigned.AsSpan(10)) - 1));
        var other = data[(10 + macLength + 6)..].ToArray();
        var mac = HMACSHA256.HashData(secret, (byte[])[(byte)(requestMac.Length >> 8), (byte)requestMac.Length, .. requestMac, .. unsigned, .. Variables(key, data[..6].ToArray(), BinaryPrimitives.ReadUInt16BigEndian(data[6..]), error, other)]);
        if (!CryptographicOperations.FixedTimeEquals(mac, data.Slice(10, macLength))) return "its answer is signed by somebody else";
        var at = ((long)BinaryPrimitives.ReadUInt16BigEndian(data) << 32) | BinaryPrimitives.ReadUInt32BigEndian(data[2..]);
        if (Math.Abs(now.ToUnixTimeSeconds() - at) > Fudge) return "its clock and ours are more than five minutes apart";
        return reply.Code == 0 ? null : Word(reply.Code, error);
    }

    private static byte[] Variables(string key, byte[] time, ushort fudge, ushort error, byte[] other)
    {
        var bytes = new List<byte>(DnsTalk.Name(key));
        Put(bytes, Any, 0, 0);
        bytes.AddRange(Algorithm);
        bytes.AddRange(time);
        Put(bytes, fudge, error, (ushort)other.Length);
        return [.. bytes, .. other];
    }

    // Where the last record begins.
    private static bool TryFind(byte[] message, out int start)
    {
        var at = start = 12;
        for (var questions = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(4)); questions > 0; questions--)
        {
            if (!DnsMessage.TryReadName(message, ref at, out _)) return false;
            at += 4;
        }

        for (var count = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(6)) + BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(8)) + BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(10)); count > 0; count--)
        {
            start = at;
            if (!DnsMessage.TryReadName(message, ref at, out _) || message.Length - at < 10) return false;
            at += 10 + BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at + 8));
        }

        return at <= message.Length;
    }

    private static byte[] Time(DateTimeOffset now)
    {
        var time = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(time, now.ToUnixTimeSeconds());
        return time[2..];
    }

    private static void Put(List<byte> into, params ReadOnlySpan<ushort> words)
    {
        foreach (var word in words)
        {
            into.Add((byte)(word >> 8));
            into.Add((byte)word);
        }
    }

    private static string Word(int code, int error) => error switch
    {
        16 => "it refuses the signature: is the secret the right one? (BADSIG)",
        17 => "it does not know the key (BADKEY)",
        18 => "its clock and ours are more than five minutes apart (BADTIME)",
        _ => code switch
        {
            1 => "it does not understand updates (FORMERR)",
            2 => "it has a fault of its own (SERVFAIL)",
            4 => "it takes no updates (NOTIMP)",
            5 => "it refuses: may the key change this name? (REFUSED)",
            9 => "it is not the server of this zone, or does not take the key (NOTAUTH)",
            10 => "the name is not in this zone (NOTZONE)",
            _ => $"it answers with code {code}",
        },
    };
}
