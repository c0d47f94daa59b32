// Messages of the DNS (RFC 1035, 2782, 6891): a question written, an answer read. Whatever comes, reading ends: a name is
// followed only towards the front of the message, and what does not fit is malformed. Pure; nothing is thrown.

using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Weir.Control.Discovery;

/// <summary>What is asked for.</summary>
public enum DnsType : ushort
{
    Address = 1,
    NameServer = 2,
    Alias = 5,
    Authority = 6,
    Text = 16,
    Address6 = 28,
    Service = 33,
    Options = 41,
}

/// <summary>What a server's message amounts to.</summary>
public enum DnsOutcome
{
    /// <summary>It holds what was asked for.</summary>
    Found,

    /// <summary>The name exists, and has nothing of the type.</summary>
    Empty,

    /// <summary>There is no such name.</summary>
    NoSuchName,

    /// <summary>The answer is cut: it is to be asked for by TCP.</summary>
    Truncated,

    /// <summary>The server does not know the options it was sent.</summary>
    NoOptions,

    /// <summary>The server cannot or will not say.</summary>
    Refused,

    /// <summary>Not a message, or one that contradicts itself.</summary>
    Malformed,

    /// <summary>An answer to something else.</summary>
    Foreign,

    /// <summary>Nothing came in time.</summary>
    Silent,
}

/// <summary>A server of a service (RFC 2782).</summary>
public readonly record struct ServiceRecord(string Target, int Port, int Priority, int Weight);

/// <summary>What was found, and for how long it holds, in seconds.</summary>
public sealed record DnsAnswer(DnsOutcome Outcome, IPAddress[] Addresses, ServiceRecord[] Services, long Ttl)
{
    public static DnsAnswer Nothing(DnsOutcome outcome) => new(outcome, [], [], 0);
}

/// <summary>Reads and writes messages.</summary>
public static class DnsMessage
{
    /// <summary>Bytes a datagram may have: what passes every path unfragmented.</summary>
    public const int MostDatagram = 1232;

    /// <summary>Bytes of a name on the wire.</summary>
    public const int LongestName = 255;

    /// <summary>Aliases followed one after the other.</summary>
    public const int MostAliases = 16;

    private const int Head = 12;
    private const ushort Internet = 1;

    /// <summary>Whether it can be asked for: labels of 1 to 63 bytes, 255 in all, of letters, digits, '-' and '_'.</summary>
    public static bool IsName(string name)
    {
        if (name.EndsWith('.')) name = name[..^1];
        return name.Length is > 0 and <= LongestName - 2 && Array.TrueForAll(name.Split('.'), static label => label.Length is > 0 and <= 63 && label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
    }

    /// <summary>A question, which an answer repeats.</summary>
    /// <param name="name">A name for which <see cref="IsName"/> holds.</param>
    public static byte[] Ask(ushort id, string name, DnsType type, bool withOptions)
    {
        var labels = name.TrimEnd('.').Split('.');
        var bytes = new byte[Head + labels.Sum(static l => l.Length + 1) + 1 + 4 + (withOptions ? 11 : 0)];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, id);
        bytes[2] = 1; // Recursion is wanted.
        bytes[5] = 1;
        bytes[11] = (byte)(withOptions ? 1 : 0);
        var at = Head;
        foreach (var label in labels)
        {
            bytes[at++] = (byte)label.Length;
            at += Encoding.ASCII.GetBytes(label, bytes.AsSpan(at));
        }

        at++;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at), (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at + 2), Internet);
        if (!withOptions) return bytes;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at + 5), (ushort)DnsType.Options);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at + 7), MostDatagram);
        return bytes;
    }

    /// <summary>Reads the answer to a question.</summary>
    /// <param name="message">What came.</param>
    /// <param name="id">The question's.</param>
    /// <param name="name">The question's.</param>
    /// <param name="type">The question's.</param>
    public static DnsAnswer Read(ReadOnlySpan<byte> message, ushort id, string name, DnsType type)
    {
        if (message.Length < Head || BinaryPrimitives.ReadUInt16BigEndian(message) != id || (message[2] & 0xF8) != 0x80) return DnsAnswer.Nothing(DnsOutcome.Foreign);
        var code = message[3] & 0x0F;
        var questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        // A server that did not understand the question may leave it out.
        if (questions == 0 && code is 1 or 4) return DnsAnswer.Nothing(DnsOutcome.NoOptions);
        var at = Head;
        if (questions != 1 || !TryReadName(message, ref at, out var asked) || message.Length - at < 4) return DnsAnswer.Nothing(DnsOutcome.Foreign);
        if (!Same(asked, name.TrimEnd('.')) || BinaryPrimitives.ReadUInt16BigEndian(message[at..]) != (ushort)type || BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]) != Internet) return DnsAnswer.Nothing(DnsOutcome.Foreign);
        if ((message[2] & 2) != 0) return DnsAnswer.Nothing(DnsOutcome.Truncated);
        // Who neither has the name (AA) nor asks others (RA) and brings nothing only points elsewhere: that says nothing of the name.
        var mayKnow = (message[2] & 4) != 0 || (message[3] & 0x80) != 0;
        return code switch
        {
            0 => ReadRecords(message, at + 4, BinaryPrimitives.ReadUInt16BigEndian(message[6..]), asked!, type) is var answer && (mayKnow || answer.Outcome != DnsOutcome.Empty) ? answer : DnsAnswer.Nothing(DnsOutcome.Refused),
            1 or 4 => DnsAnswer.Nothing(DnsOutcome.NoOptions),
            3 => DnsAnswer.Nothing(DnsOutcome.NoSuchName),
            _ => DnsAnswer.Nothing(DnsOutcome.Refused),
        };
    }

    // Records of other names and types are passed over: an alias and what it stands for come in one answer, in any order.
    private static DnsAnswer ReadRecords(ReadOnlySpan<byte> message, int at, int count, string asked, DnsType type)
    {
        var aliases = new Dictionary<string, (string Target, long Ttl)>(StringComparer.OrdinalIgnoreCase);
        var found = new List<(string Owner, long Ttl, IPAddress? Address, ServiceRecord Service)>();
        for (; count > 0; count--)
        {
            if (!TryReadName(message, ref at, out var owner) || message.Length - at < 10) return DnsAnswer.Nothing(DnsOutcome.Malformed);
            var kind = (DnsType)BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
            var isInternet = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]) == Internet;
            var ttl = (long)BinaryPrimitives.ReadUInt32BigEndian(message[(at + 4)..]);
            if (ttl > int.MaxValue) ttl = 0; // RFC 2181 §8
            var length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
            at += 10;
            if (message.Length - at < length) return DnsAnswer.Nothing(DnsOutcome.Malformed);
            var (start, end) = (at, at + length);
            at = end;
            if (!isInternet || (kind != type && kind != DnsType.Alias)) continue;
            if (kind == DnsType.Alias)
            {
                if (!TryReadName(message[..end], ref start, out var target) || start != end) return DnsAnswer.Nothing(DnsOutcome.Malformed);
                aliases[owner!] = (target!, ttl);
            }
            else if (kind == DnsType.Service)
            {
                var place = start + 6;
                if (length < 7 || !TryReadName(message[..end], ref place, out var target) || place != end) return DnsAnswer.Nothing(DnsOutcome.Malformed);
                found.Add((owner!, ttl, null, new ServiceRecord(target!, BinaryPrimitives.ReadUInt16BigEndian(message[(start + 4)..]), BinaryPrimitives.ReadUInt16BigEndian(message[start..]), BinaryPrimitives.ReadUInt16BigEndian(message[(start + 2)..]))));
            }
            else
            {
                if (length != (kind == DnsType.Address ? 4 : 16)) return DnsAnswer.Nothing(DnsOutcome.Malformed);
                found.Add((owner!, ttl, new IPAddress(message[start..end]), default));
            }
        }

        var least = long.MaxValue;
        for (var steps = 0; steps <= MostAliases; steps++)
        {
            var own = found.FindAll(r => Same(r.Owner, asked));
            if (own.Count > 0)
            {
                var addresses = own.Select(static r => r.Address).OfType<IPAddress>().Distinct().ToArray();
                var services = type == DnsType.Service ? own.Select(static r => r.Service).Distinct().ToArray() : [];
                return new DnsAnswer(DnsOutcome.Found, addresses, services, Math.Min(least, own.Min(static r => r.Ttl)));
            }

            if (!aliases.TryGetValue(asked, out var next)) break;
            (asked, least) = (next.Target, Math.Min(least, next.Ttl));
        }

        return DnsAnswer.Nothing(DnsOutcome.Empty);
    }

    private static bool Same(string? one, string? other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    // Without its last dot; the root is empty. A pointer leads to what stands before the place it was read at, so that there is
    // no circle.
    internal static bool TryReadName(ReadOnlySpan<byte> message, ref int at, out string? name)
    {
        name = null;
        var text = new StringBuilder();
        var (place, limit, hasJumped) = (at, at, false);
        while (true)
        {
            if (place >= message.Length) return false;
            var length = message[place];
            if (length >= 0xC0)
            {
                if (place + 1 >= message.Length) return false;
                var to = ((length & 0x3F) << 8) | message[place + 1];
                if (!hasJumped) at = place + 2;
                if (to >= limit) return false;
                (place, limit, hasJumped) = (to, to, true);
                continue;
            }

            if (length > 63 || place + 1 + length > message.Length) return false;
            place++;
            if (length == 0) break;
            if (text.Length > 0) text.Append('.');
            // A byte that is no plain character stands as one that no name we ask for or use has.
            foreach (var c in message.Slice(place, length)) text.Append(c is > 0x20 and < 0x7F and not (byte)'.' ? (char)c : '?');
            if (text.Length > LongestName - 2) return false;
            place += length;
        }

        if (!hasJumped) at = place;
        name = text.ToString();
        return true;
    }
}
