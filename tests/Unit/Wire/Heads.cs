// Helpers for head tests: parsing a text at once, byte by byte, and at every split.

using System.Text;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Wire;

internal static class Heads
{
    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    public static (ParseStatus Status, HeadFault Fault) Request(byte[] bytes, RequestHead head, HeadLimits? limits = null)
    {
        head.Clear();
        var status = RequestParser.Parse(bytes, limits ?? HeadLimits.Default, head, out var fault);
        return (status, fault);
    }

    /// <summary>Parses every prefix in turn, as if one byte arrived at a time.</summary>
    public static (ParseStatus Status, HeadFault Fault) RequestBytewise(byte[] bytes, RequestHead head, HeadLimits? limits = null)
    {
        head.Clear();
        for (var n = 1; n <= bytes.Length; n++)
        {
            var status = RequestParser.Parse(bytes.AsSpan(0, n), limits ?? HeadLimits.Default, head, out var fault);
            if (status != ParseStatus.NeedMore) return (status, fault);
        }

        return (ParseStatus.NeedMore, HeadFault.None);
    }

    public static (ParseStatus Status, HeadFault Fault) Response(string text, ResponseHead head, KnownMethod asked = KnownMethod.Get)
    {
        head.Clear();
        return (ResponseParser.Parse(Bytes(text), HeadLimits.Default, asked, head, out var fault), fault);
    }
}
