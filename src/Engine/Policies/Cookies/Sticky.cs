// A client stays with the endpoint that it was with: a cookie names it. Of the request it is taken out, as it is nothing to
// the origin, nor may the origin set it; the response gets one where the client has none that names who answered. A value is read at most twice a
// request, whatever came; one that is not ours, or whose endpoint is away, leaves the choice to the balancer.

using Weir.Engine.Exchanges;
using Weir.Engine.Upstreams;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Cookies;

/// <summary>The sticky cookie of one upstream (`sticky`). Shared by all loops.</summary>
/// <param name="upstream">Whose endpoints are named.</param>
/// <param name="form">The cookie.</param>
/// <param name="key">What values are written with.</param>
/// <param name="previous">A key whose values are still taken, and replaced; null: none.</param>
/// <param name="loops">How many loops there are.</param>
public sealed class Sticky(Upstream upstream, CookieForm form, StickyKey key, StickyKey? previous, int loops) : IRequestPolicy, IResponsePolicy
{
    // A name may come twice, with a path of its own each (RFC 6265 §5.4).
    private const int MostRead = 2;

    private readonly SeenTokens?[] seen = new SeenTokens?[loops];

    public Verdict Apply(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        if (!fields.Index.Has(KnownField.Cookie)) return Verdict.Continue;
        var read = 0;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Cookie || fields.IsDropped(i)) continue;
            if (!TakeOut(exchange, fields, i, ref read)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        }

        return Verdict.Continue;
    }

    bool IResponsePolicy.Apply(Exchange exchange)
    {
        if (exchange.Origin is null || exchange.Place.EndpointState is not Endpoint endpoint) return true;
        form.TakeOut(exchange.Response.Fields); // A server's of the same name would be put in the place of ours, and never reach it again.
        if (exchange.KeepsCookie && ReferenceEquals(exchange.Preferred, endpoint)) return true;
        if (exchange.WasStuck && !ReferenceEquals(exchange.Preferred, endpoint)) upstream.ClientMoved();
        if (!form.TryBegin(exchange, StickyKey.TextLength, out var value, out var field)) return false;
        key.Write(endpoint.Tag, value);
        CookieForm.Add(exchange, field);
        return true;
    }

    public void ApplyInterim(Exchange exchange)
    {
    }

    // Reads the cookies of one line that have the name, and passes on the others as they stand.
    private bool TakeOut(Exchange exchange, FieldBlock fields, int i, ref int read)
    {
        var line = fields.Value(i);
        if (line.IndexOf(form.Name) < 0) return true;
        if (!exchange.Scratch.TryTake(line.Length, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        var (isOurs, isFirst) = (false, true);
        for (var rest = line; !rest.IsEmpty;)
        {
            var end = rest.IndexOf((byte)';');
            var part = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            var pair = Ascii.TrimWhiteSpace(part);
            if (pair.Length > form.Name.Length && pair[form.Name.Length] == '=' && pair.StartsWith(form.Name))
            {
                isOurs = true;
                if (exchange.Preferred is null && read++ < MostRead) Read(exchange, pair[(form.Name.Length + 1)..]);
                continue;
            }

            if (isFirst && pair.IsEmpty) continue;
            if (!isFirst) to.Write((byte)';');
            to.Write(isFirst ? pair : part);
            isFirst = false;
        }

        range = exchange.Scratch.Trim(range, isOurs ? to.Length : 0);
        if (!isOurs) return true;
        fields.Drop(i);
        ref readonly var field = ref fields.Index[i];
        if (!range.IsEmpty) fields.Add(KnownField.Cookie, new ByteRange(fields.Bytes, fields.Origin + field.NameStart, field.NameLength), range);
        return true;
    }

    private void Read(Exchange exchange, ReadOnlySpan<byte> value)
    {
        Span<byte> token = stackalloc byte[StickyKey.TokenLength];
        if (!StickyKey.TryDecode(value, token)) return;
        var known = seen[exchange.Loop.Index] ??= new SeenTokens();
        var meaning = known.Find(token);
        if (!meaning.IsGood)
        {
            var isCurrent = key.TryRead(token, out var tag);
            if (!isCurrent && previous?.TryRead(token, out tag) != true) return;
            known.Remember(token, meaning = new SeenTokens.Meaning(tag, true, isCurrent));
        }

        exchange.Preferred = upstream.Find(meaning.Tag);
        exchange.KeepsCookie = meaning.IsCurrent;
        exchange.WasStuck = true;
    }
}
