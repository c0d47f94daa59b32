// Messages of the DNS: what is read of good ones, and that bad ones, of which there is no end, do no harm.

using System.Buffers.Binary;
using System.Net;
using Weir.Control.Discovery;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Discovery;

public class DnsMessageTests
{
    private const ushort Id = 0x1234;

    private static byte[] Message(string name, DnsType type, params byte[][] records)
    {
        byte[] head = [0x12, 0x34, 0x81, 0x80, 0, 1, (byte)(records.Length >> 8), (byte)records.Length, 0, 0, 0, 0, .. DnsServer.Name(name), 0, (byte)type, 0, 1];
        return [.. head, .. records.SelectMany(static r => r)];
    }

    private static byte[] Record(byte[] owner, DnsType type, uint ttl, params byte[] data)
    {
        var bytes = new byte[10];
        bytes[1] = (byte)type;
        bytes[3] = 1;
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), ttl);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(8), (ushort)data.Length);
        return [.. owner, .. bytes, .. data];
    }

    private static readonly byte[] Pointer = [0xC0, 12];

    [Fact]
    public void Addresses_are_read_with_the_shortest_time_of_all_through_aliases_in_any_order()
    {
        var message = Message("App.internal", DnsType.Address,
            Record(DnsServer.Name("c.internal"), DnsType.Address, 50, 10, 0, 0, 2),
            Record(DnsServer.Name("b.internal"), DnsType.Alias, 20, DnsServer.Name("C.internal")),
            Record(DnsServer.Name("c.internal"), DnsType.Address, 40, 10, 0, 0, 1),
            Record(DnsServer.Name("other.internal"), DnsType.Address, 1, 10, 0, 0, 9),
            Record(Pointer, DnsType.Alias, 30, DnsServer.Name("b.internal")));
        var answer = DnsMessage.Read(message, Id, "app.internal.", DnsType.Address);
        Assert.Equal(DnsOutcome.Found, answer.Outcome);
        Assert.Equal([IPAddress.Parse("10.0.0.2"), IPAddress.Parse("10.0.0.1")], answer.Addresses);
        Assert.Equal(20, answer.Ttl);
    }

    [Fact]
    public void Services_are_read()
    {
        var message = Message("_http._tcp.a", DnsType.Service,
            Record(Pointer, DnsType.Service, 60, [0, 10, 0, 5, 0x1F, 0x90, .. DnsServer.Name("one.a")]),
            Record(Pointer, DnsType.Service, 0x8000_0000, [0, 20, 0, 0, 0, 80, 3, (byte)'t', (byte)'w', (byte)'o', 0xC0, 23]));
        var answer = DnsMessage.Read(message, Id, "_http._tcp.a", DnsType.Service);
        Assert.Equal([new ServiceRecord("one.a", 8080, 10, 5), new ServiceRecord("two.a", 80, 20, 0)], answer.Services);
        Assert.Equal(0, answer.Ttl); // A time with the highest bit is none (RFC 2181 §8).
    }

    [Theory]
    [InlineData(0, DnsOutcome.Empty)]
    [InlineData(1, DnsOutcome.NoOptions)]
    [InlineData(2, DnsOutcome.Refused)]
    [InlineData(3, DnsOutcome.NoSuchName)]
    [InlineData(4, DnsOutcome.NoOptions)]
    [InlineData(5, DnsOutcome.Refused)]
    public void Codes_mean_what_they_say(int code, DnsOutcome outcome)
    {
        var message = Message("a", DnsType.Address);
        message[3] |= (byte)code;
        Assert.Equal(outcome, DnsMessage.Read(message, Id, "a", DnsType.Address).Outcome);
    }

    [Theory]
    [InlineData(0x81, 0x00, false, DnsOutcome.Refused)]
    [InlineData(0x85, 0x00, false, DnsOutcome.Empty)]
    [InlineData(0x81, 0x80, false, DnsOutcome.Empty)]
    [InlineData(0x81, 0x00, true, DnsOutcome.Found)]
    public void That_there_is_nothing_counts_only_of_who_may_know(byte first, byte second, bool hasAddress, DnsOutcome outcome)
    {
        var message = hasAddress ? Message("a", DnsType.Address, Record(Pointer, DnsType.Address, 1, 10, 0, 0, 1)) : Message("a", DnsType.Address);
        (message[2], message[3]) = (first, second);
        Assert.Equal(outcome, DnsMessage.Read(message, Id, "a", DnsType.Address).Outcome);
    }

    [Fact]
    public void What_does_not_repeat_the_question_is_no_answer_to_it()
    {
        var message = Message("a.b", DnsType.Address, Record(Pointer, DnsType.Address, 1, 10, 0, 0, 1));
        Assert.Equal(DnsOutcome.Found, DnsMessage.Read(message, Id, "A.b", DnsType.Address).Outcome);
        Assert.Equal(DnsOutcome.Foreign, DnsMessage.Read(message, Id + 1, "a.b", DnsType.Address).Outcome);
        Assert.Equal(DnsOutcome.Foreign, DnsMessage.Read(message, Id, "a.c", DnsType.Address).Outcome);
        Assert.Equal(DnsOutcome.Foreign, DnsMessage.Read(message, Id, "a.b", DnsType.Address6).Outcome);
        message[2] &= 0x7F; // A question.
        Assert.Equal(DnsOutcome.Foreign, DnsMessage.Read(message, Id, "a.b", DnsType.Address).Outcome);
    }

    [Fact]
    public void A_cut_answer_is_not_used()
    {
        var message = Message("a", DnsType.Address, Record(Pointer, DnsType.Address, 1, 10, 0, 0, 1));
        message[2] |= 2;
        Assert.Equal(DnsOutcome.Truncated, DnsMessage.Read(message, Id, "a", DnsType.Address).Outcome);
    }

    [Fact]
    public void Names_that_lead_in_circles_end()
    {
        var start = Message("a", DnsType.Address).Length;
        byte[][] circles = [[0xC0, (byte)start], [0xC0, (byte)(start + 2)], [1, (byte)'x', 0xC0, (byte)start], [0xFF, 0xFF]];
        foreach (var circle in circles) Assert.Equal(DnsOutcome.Malformed, DnsMessage.Read(Message("a", DnsType.Address, Record(circle, DnsType.Address, 1, 10, 0, 0, 1)), Id, "a", DnsType.Address).Outcome);
        var aliases = Message("a", DnsType.Address, Record(Pointer, DnsType.Alias, 1, DnsServer.Name("b")), Record(DnsServer.Name("b"), DnsType.Alias, 1, DnsServer.Name("a")));
        Assert.Equal(DnsOutcome.Empty, DnsMessage.Read(aliases, Id, "a", DnsType.Address).Outcome);
    }

    [Fact]
    public void Only_so_many_aliases_are_followed()
    {
        byte[][] Chain(int aliases) => [.. Enumerable.Range(0, aliases).Select(i => Record(DnsServer.Name($"n{i}"), DnsType.Alias, 9, DnsServer.Name($"n{i + 1}"))), Record(DnsServer.Name($"n{aliases}"), DnsType.Address, 9, 10, 0, 0, 1)];
        Assert.Equal(DnsOutcome.Found, DnsMessage.Read(Message("n0", DnsType.Address, Chain(DnsMessage.MostAliases)), Id, "n0", DnsType.Address).Outcome);
        Assert.Equal(DnsOutcome.Empty, DnsMessage.Read(Message("n0", DnsType.Address, Chain(DnsMessage.MostAliases + 1)), Id, "n0", DnsType.Address).Outcome);
    }

    [Fact]
    public void Every_cut_and_every_changed_byte_is_read_to_its_end()
    {
        var message = Message("_http._tcp.a", DnsType.Service,
            Record(Pointer, DnsType.Alias, 5, DnsServer.Name("b.a")),
            Record(DnsServer.Name("b.a"), DnsType.Service, 60, [0, 10, 0, 5, 0x1F, 0x90, 3, (byte)'t', (byte)'w', (byte)'o', 0xC0, 12]));
        Assert.Equal(DnsOutcome.Found, DnsMessage.Read(message, Id, "_http._tcp.a", DnsType.Service).Outcome);
        for (var length = 0; length < message.Length; length++) Assert.NotEqual(DnsOutcome.Found, DnsMessage.Read(message.AsSpan(0, length), Id, "_http._tcp.a", DnsType.Service).Outcome);
        for (var at = 0; at < message.Length; at++)
        {
            for (var value = 0; value < 256; value++)
            {
                var changed = (byte[])message.Clone();
                changed[at] = (byte)value;
                var answer = DnsMessage.Read(changed, Id, "_http._tcp.a", DnsType.Service);
                Assert.All(answer.Services, static s => Assert.InRange(s.Target.Length, 0, DnsMessage.LongestName));
            }
        }
    }

    [Theory]
    [InlineData("a", true)]
    [InlineData("_http._tcp.app-1.internal.", true)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("a..b", false)]
    [InlineData("a b", false)]
    [InlineData("a\r\nX: y", false)]
    [InlineData("ä", false)]
    public void Names_are_plain(string name, bool isName) => Assert.Equal(isName, DnsMessage.IsName(name));

    [Fact]
    public void Names_have_a_length()
    {
        Assert.True(DnsMessage.IsName(new string('a', 63)));
        Assert.False(DnsMessage.IsName(new string('a', 64)));
        var longest = string.Join('.', Enumerable.Repeat(new string('a', 49), 5)) + ".aaa";
        Assert.Equal(DnsMessage.LongestName - 2, longest.Length);
        Assert.True(DnsMessage.IsName(longest));
        Assert.False(DnsMessage.IsName(longest + "a"));
        Assert.Equal(12 + DnsMessage.LongestName + 4, DnsMessage.Ask(Id, longest, DnsType.Address, withOptions: false).Length);
    }
}
