using System.Text;
using Weir.Engine.Policies.Cookies;

namespace Weir.Tests.Unit.Engine.Policies.Cookies;

public class StickyKeyTests
{
    private readonly StickyKey key = new("0123456789abcdef"u8);

    [Fact]
    public void What_is_written_is_read_again_and_no_two_values_are_alike()
    {
        var values = new HashSet<string>();
        for (var i = 0; i < 1_000; i++)
        {
            var value = Write(key, 42);
            Assert.True(TryRead(key, value, out var tag));
            Assert.Equal(42UL, tag);
            Assert.True(values.Add(value));
            Assert.Matches("^[A-Za-z0-9_-]{48}$", value);
        }

        // Nothing of it stays the same beside the endpoint: each character takes many forms.
        for (var at = 0; at < StickyKey.TextLength; at++) Assert.True(values.Select(v => v[at]).Distinct().Count() > 30);
    }

    [Fact]
    public void A_value_of_which_a_single_bit_was_changed_is_none()
    {
        var value = Encoding.ASCII.GetBytes(Write(key, 7));
        var token = new byte[StickyKey.TokenLength];
        Assert.True(StickyKey.TryDecode(value, token));
        Assert.True(key.TryRead(token, out _));
        for (var bit = 0; bit < token.Length * 8; bit++)
        {
            token[bit >> 3] ^= (byte)(1 << (bit & 7));
            Assert.False(key.TryRead(token, out var tag));
            Assert.Equal(0UL, tag);
            token[bit >> 3] ^= (byte)(1 << (bit & 7));
        }
    }

    [Fact]
    public void Another_key_reads_nothing() => Assert.False(TryRead(new StickyKey("0123456789abcdeg"u8), Write(key, 7), out _));

    [Fact]
    public void What_cannot_be_a_value_is_none()
    {
        var value = Write(key, 7);
        foreach (var wrong in new[] { "", "a", value[..47], value + "A", value[..47] + "=", value[..47] + "+", value[..47] + " ", value[..24] + "\t" + value[25..], $"\"{value[..46]}\"", new string('A', 5_000) })
        {
            Assert.False(StickyKey.TryDecode(Encoding.Latin1.GetBytes(wrong), new byte[StickyKey.TokenLength]), wrong);
        }
    }

    [Fact]
    public void Neither_reading_nor_writing_allocates()
    {
        var (text, token) = (new byte[StickyKey.TextLength], new byte[StickyKey.TokenLength]);
        Cycle();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Cycle();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Cycle()
        {
            key.Write(1, text);
            StickyKey.TryDecode(text, token);
            key.TryRead(token, out _);
        }
    }

    internal static string Write(StickyKey key, ulong tag)
    {
        var text = new byte[StickyKey.TextLength];
        key.Write(tag, text);
        return Encoding.ASCII.GetString(text);
    }

    internal static bool TryRead(StickyKey key, string value, out ulong tag)
    {
        var token = new byte[StickyKey.TokenLength];
        tag = 0;
        return StickyKey.TryDecode(Encoding.Latin1.GetBytes(value), token) && key.TryRead(token, out tag);
    }
}
