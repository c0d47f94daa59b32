// What a message must carry, or lose, at every hop: Via and the loop it reveals, Max-Forwards. RFC 9110 §7.6.2, §7.6.3.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Forwarding;

/// <summary>The name this proxy goes by in Via. Immutable.</summary>
public sealed class Hops
{
    private static readonly ByteRange ViaName = ByteRange.Of("Via"u8.ToArray());
    private static readonly ByteRange MaxForwardsName = ByteRange.Of("Max-Forwards"u8.ToArray());

    private readonly byte[] pseudonym;
    private readonly ByteRange via10;
    private readonly ByteRange via11;
    private readonly ByteRange via20;

    public Hops(string pseudonym)
    {
        this.pseudonym = System.Text.Encoding.ASCII.GetBytes(pseudonym);
        via10 = ByteRange.Of(System.Text.Encoding.ASCII.GetBytes("1.0 " + pseudonym));
        via11 = ByteRange.Of(System.Text.Encoding.ASCII.GetBytes("1.1 " + pseudonym));
        via20 = ByteRange.Of(System.Text.Encoding.ASCII.GetBytes("2.0 " + pseudonym));
    }

    /// <summary>Recognises a request that has been here before: a loop.</summary>
    public bool HasBeenHere(Request request)
    {
        var fields = request.Fields;
        if (!fields.Index.Has(KnownField.Via)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Via) continue;
            foreach (var element in new ListElements(fields.Value(i)))
            {
                var space = element.IndexOfAny((byte)' ', (byte)'\t');
                if (space < 0) continue;
                var by = Ascii.TrimWhiteSpace(element[space..]);
                var end = by.IndexOfAny((byte)' ', (byte)'\t');
                if (Ascii.EqualsIgnoreCase(end < 0 ? by : by[..end], pseudonym)) return true;
            }
        }

        return false;
    }

    /// <summary>Adds this hop to the request that is sent on. A gateway's responses need not say it (RFC 9110 §7.6.3).</summary>
    public void Mark(Request request) => request.Fields.Add(KnownField.Via, ViaName, For(request.Version));

    /// <summary>Counts Max-Forwards down for TRACE and OPTIONS.</summary>
    /// <returns>False where the request ends here: its count was 0.</returns>
    public static bool CountDown(Exchange exchange)
    {
        var request = exchange.Request;
        if (request.KnownMethod is not (KnownMethod.Trace or KnownMethod.Options) || !request.Fields.Index.Has(KnownField.MaxForwards)) return true;
        if (!Ascii.TryDecimal(request.Fields.First(KnownField.MaxForwards), out var left)) return true;
        if (left == 0) return false;
        if (!exchange.Scratch.TryTake(20, out var room, out var range)) return true;
        var to = new SpanWriter(room);
        to.WriteDecimal(left - 1);
        request.Fields.Set(KnownField.MaxForwards, MaxForwardsName, exchange.Scratch.Trim(range, to.Length));
        return true;
    }

    private ByteRange For(HttpVersion version) => version switch
    {
        HttpVersion.Http10 => via10,
        HttpVersion.Http11 => via11,
        _ => via20,
    };
}
