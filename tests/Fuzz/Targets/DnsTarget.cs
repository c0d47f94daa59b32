// Answers of name servers: whatever comes is read to its end, and what is taken of it can be used. An input is the type that
// was asked for, then a whole message, or how many records there are and these, to which head and question are made.

using System.Net.Sockets;
using System.Text;
using Weir.Control.Discovery;
using Weir.Tests.Support;

namespace Weir.Tests.Fuzz;

internal sealed class DnsTarget : Target
{
    private const ushort Id = 0x1234;
    private const string Asked = "_http._tcp.app.example";
    private const byte Whole = 0x80;

    // Where the question's name stands in every message, and parts of it.
    private const string Question = "\xC0\x0C", Application = "\xC0\x17";

    private static readonly DnsType[] Types = [DnsType.Address, DnsType.Address6, DnsType.Service];

    public override string Name => "dns";

    public override string[] Covers => ["Weir.Control.Discovery.DnsMessage", "Weir.Control.Discovery.SrvSource"];

    public override IEnumerable<string> Examples =>
    [
        "\0\x02" + Record(Question, DnsType.Address, "\n\0\0\x01") + Record(Question, DnsType.Address, "\n\0\0\x02"),
        "\x01\x01" + Record(Question, DnsType.Address6, "\xFD" + new string('\0', 14) + "\x01"),
        "\x02\x02" + Record(Question, DnsType.Service, "\0\n\0\x05\x1F\x90\x03one" + Application) + Record(Question, DnsType.Service, "\0\x14\xFF\xFF\0\x50" + Text("two.example")),
        "\0\x04" + Record(Text("c.example"), DnsType.Address, "\n\0\0\x01") + Record(Text("b.example"), DnsType.Alias, Text("c.example")) + Record(Question, DnsType.Alias, Text("b.example")) + Record("\0", DnsType.Options, ""),
        "\0\x02" + Record(Question, DnsType.Alias, Application) + Record(Application, DnsType.Alias, Question),
        .. Types.Select((type, i) => (char)(Whole | i) + Latin1(DnsMessage.Ask(Id, Asked, type, withOptions: true))),
        .. Types.Select((type, i) => (char)(Whole | i) + Latin1(Message(type, 1, Encoding.Latin1.GetBytes(Record(Question, DnsType.Alias, Text("a.b")))))),
    ];

    public override string[] Words =>
    [
        Question, Application, "\xC0\0", "\xFF\xFF", "\0", "\x3F", "\0\0\0\x1E", "\x12\x34\x81\x80\0\x01", "\x12\x34\x83\x83", Text("a.b"), Text(Asked), Text(new string('a', 63)), .. Types.Append(DnsType.Alias).Select(static t => $"\0{(char)t}\0\x01"),
        Record(Question, DnsType.Address, "\n\0\0\x01"), Record(Question, DnsType.Service, "\0\0\0\0\0\x50" + Text("a.b")), Record(Question, DnsType.Alias, Text("a.b")), Record(Text("a.b"), DnsType.Address, "\n\0\0\x01"),
    ];

    public override void Check(byte[] input)
    {
        if (input.Length < 2) return;
        var type = Types[(input[0] & 0x7F) % Types.Length];
        var message = (input[0] & Whole) != 0 ? input[1..] : Message(type, input[1], input.AsSpan(2));
        var answer = DnsMessage.Read(message, Id, Asked, type);
        Must(answer.Outcome is >= DnsOutcome.Found and < DnsOutcome.Silent, "no outcome");
        Must(answer.Outcome == DnsOutcome.Foreign || DnsMessage.Read(message, Id + 1, Asked, type).Outcome == DnsOutcome.Foreign, "an answer to another question");
        Must(Same(answer, DnsMessage.Read(message, Id, Asked.ToUpperInvariant() + ".", type)), "names are not of one case");
        if (answer.Outcome != DnsOutcome.Found)
        {
            Must(answer.Addresses.Length + answer.Services.Length == 0, "something, though nothing was found");
            return;
        }

        Must(answer.Ttl is >= 0 and <= int.MaxValue, $"time: {answer.Ttl}");
        // What stands behind the answers says nothing: no name leads there.
        Must(Same(answer, DnsMessage.Read([.. message, .. message, 0xFF, 0], Id, Asked, type)), "what follows changes it");
        if (type == DnsType.Service) CheckServices(answer, message);
        else CheckAddresses(answer, message, type);
    }

    private static void CheckAddresses(DnsAnswer answer, byte[] message, DnsType type)
    {
        Must(answer.Addresses.Length > 0 && answer.Services.Length == 0, "no address");
        Must(answer.Addresses.Distinct().Count() == answer.Addresses.Length, "twice the same");
        foreach (var address in answer.Addresses)
        {
            Must(address.AddressFamily == (type == DnsType.Address ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6), "family: another");
            Must(message.AsSpan().IndexOf(address.GetAddressBytes()) >= 0, $"nobody said {address}");
        }
    }

    private static void CheckServices(DnsAnswer answer, byte[] message)
    {
        Must(answer.Services.Length > 0 && answer.Addresses.Length == 0, "no service");
        foreach (var service in answer.Services)
        {
            Must(service.Target.Length <= DnsMessage.LongestName - 2 && service.Target.All(static c => c is > ' ' and <= '~'), $"target: {service.Target}");
            Must(service is { Port: >= 0 and <= 65_535, Priority: >= 0 and <= 65_535, Weight: >= 0 and <= 65_535 }, $"numbers: {service}");
            if (!DnsMessage.IsName(service.Target)) continue;
            var again = DnsMessage.Ask(Id, service.Target, DnsType.Address, withOptions: false);
            Must(DnsMessage.Read(again, Id, service.Target, DnsType.Address).Outcome == DnsOutcome.Foreign, "a question is taken for an answer");
            again[2] |= 0x80;
            Must(DnsMessage.Read(again, Id, service.Target, DnsType.Address).Outcome == DnsOutcome.Refused, "who asks nobody is believed that there is nothing");
            again[3] |= 0x80;
            Must(DnsMessage.Read(again, Id, service.Target, DnsType.Address).Outcome == DnsOutcome.Empty, $"cannot be asked for: {service.Target}");
        }

        var usable = answer.Services.Where(static s => s.Port > 0 && DnsMessage.IsName(s.Target)).ToArray();
        var known = new NameAnswer([System.Net.IPAddress.Loopback, System.Net.IPAddress.IPv6Loopback], []);
        var members = SrvSource.Members(usable, _ => known);
        Must(members.Length == Math.Min(usable.Length * 2, Lookup.Most), "servers: not all");
        Must(members.All(static m => m is { Weight: >= 1 and <= Member.MostWeight, Tier: >= 0 and <= 9 }), "a weight or tier that there is not");
        Must(members.Length == 0 || members.Any(m => usable.Any(s => m.Tier == 0 && s.Priority == usable.Min(static u => u.Priority))), "all are backups");
    }

    private static bool Same(DnsAnswer one, DnsAnswer other) => one.Outcome == other.Outcome && one.Ttl == other.Ttl && one.Addresses.SequenceEqual(other.Addresses) && one.Services.SequenceEqual(other.Services);

    private static byte[] Message(DnsType type, int count, ReadOnlySpan<byte> records) => [0x12, 0x34, 0x81, 0x80, 0, 1, 0, (byte)count, 0, 0, 0, 0, .. DnsServer.Name(Asked), 0, (byte)type, 0, 1, .. records];

    private static string Record(string owner, DnsType type, string data) => $"{owner}\0{(char)type}\0\x01\0\0\0\x1E{(char)(data.Length >> 8)}{(char)(data.Length & 0xFF)}{data}";

    private static string Text(string name) => Latin1(DnsServer.Name(name));

    private static string Latin1(byte[] bytes) => Encoding.Latin1.GetString(bytes);
}
