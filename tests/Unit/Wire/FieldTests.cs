using System.Text;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Wire;

public sealed class FieldTests
{
    [Fact]
    public void Controls_are_found_wherever_they_stand()
    {
        for (var length = 1; length < 40; length++)
        {
            var line = Enumerable.Repeat((byte)'a', length).ToArray();
            Assert.Equal(-1, Weir.Wire.Bytes.Ascii.IndexOfControl(line));
            for (var at = 0; at < length; at++)
            {
                for (var b = 0; b < 256; b++)
                {
                    line[at] = (byte)b;
                    Assert.Equal(b is < 32 and not 9 or 127 ? at : -1, Weir.Wire.Bytes.Ascii.IndexOfControl(line));
                }

                line[at] = (byte)'a';
            }
        }
    }

    [Fact]
    public void Known_names_are_told_from_all_that_differ_in_one_byte()
    {
        for (var known = (KnownField)1; (int)known < KnownFields.Count; known++)
        {
            var name = KnownFields.Name(known).ToArray();
            Assert.Equal(known, KnownFields.Lookup(Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(name).ToUpperInvariant())));
            for (var at = 0; at < name.Length; at++)
            {
                for (var b = 0x21; b < 0x7F; b++)
                {
                    var other = name.ToArray();
                    other[at] = (byte)b;
                    Assert.Equal(Encoding.ASCII.GetString(other).Equals(Encoding.ASCII.GetString(name), StringComparison.OrdinalIgnoreCase), KnownFields.Lookup(other) == known);
                }
            }
        }
    }

    [Theory]
    [InlineData("Sun, 06 Nov 1994 08:49:37 GMT", 1994)]
    [InlineData("Sunday, 06-Nov-94 08:49:37 GMT", 1994)]
    [InlineData("Sun Nov  6 08:49:37 1994", 1994)]
    [InlineData("Thursday, 18-Aug-50 02:01:18 GMT", 2050)]
    [InlineData("Tuesday, 18-Aug-76 02:01:18 GMT", 2076)]
    [InlineData("Thursday, 18-Aug-77 02:01:18 GMT", 1977)]
    [InlineData("Thu Aug 18 02:01:18 2050", 2050)]
    public void Dates_are_read_in_their_three_forms(string date, int year)
    {
        Assert.True(HttpDate.TryRead(Encoding.ASCII.GetBytes(date), out var utc));
        Assert.Equal((year, DateTimeKind.Utc), (utc.Year, utc.Kind));
    }
}
