// Digests of bodies on one loop (RFC 9530): those that origins tell are verified as the bodies pass, those that clients ask for are
// told. In the head where they are known or cheap to know, else behind the body where its framing and its client take that, else not.
//
//   answered → does it tell a digest of what is to come? → a DigestSource takes its body's place → right: it passes; wrong: it breaks
//   rewritten, compressed → does its client want a digest that nobody has told? → in the head, in the trailers, or not

using System.Security.Cryptography;
using Weir.Engine.Exchanges;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Policies.Integrity;

/// <summary>Verifies and tells on one loop.</summary>
/// <param name="errors">Where it says what was wrong.</param>
public sealed class BodyDigests(ErrorLog errors)
{
    // Kept for the next; each has native memory.
    private const int MostKept = 256;

    // A body in memory is hashed at once up to that, in bytes.
    private const int Quick = 64 << 10;

    private static readonly ByteRange ReprName = ByteRange.Of(DigestField.ReprDigest);
    private static readonly ByteRange ContentName = ByteRange.Of(DigestField.ContentDigest);
    private static readonly ByteRange TrailerName = ByteRange.Of("Trailer"u8.ToArray());

    private DigestSource? free;
    private int kept;
    private long verified;
    private long mismatched;
    private long toldInHead;
    private long toldBehind;

    /// <summary>Bodies, or parts of them, that were what their digest says. Any thread.</summary>
    public long Verified => Volatile.Read(ref verified);

    /// <summary>Those that were not.</summary>
    public long Mismatched => Volatile.Read(ref mismatched);

    /// <summary>Answers whose client was told a digest made here, in the head.</summary>
    public long ToldInHead => Volatile.Read(ref toldInHead);

    /// <summary>The same, behind the body.</summary>
    public long ToldBehind => Volatile.Read(ref toldBehind);

    /// <summary>
    /// Has a body looked at as it passes, where its origin tells a digest of it. What the fields said when they came counts, whatever is
    /// passed on of them.
    /// </summary>
    /// <param name="exchange">The exchange; its response has come, and nothing of it was sent or kept.</param>
    /// <param name="plan">What the route says.</param>
    /// <param name="length">Bytes that there are to be, where that is known otherwise.</param>
    /// <returns>Whether it is.</returns>
    public bool Verify(Exchange exchange, IntegrityPlan plan, long length = -1)
    {
        var (response, fields) = (exchange.Response, exchange.Response.Fields);
        if (!response.HasBody || response.IsTunnel || exchange.ResponseSource is not { } source || !(fields.Index.Has(KnownField.Other) || fields.Index.Has(KnownField.Trailer))) return false;
        var isWhole = exchange.Request.KnownMethod == KnownMethod.Get && response.Status is 200 or 206 && IsWhole(fields);
        var representation = isWhole ? Received(fields, DigestField.ReprDigest) : default;
        var content = Received(fields, DigestField.ContentDigest);
        var by = Stronger(Known(plan, representation), Known(plan, content));
        if (by == DigestAlgorithm.None && !Announces(fields, DigestField.ContentDigest) && !(isWhole && Announces(fields, DigestField.ReprDigest))) return false;
        var verifying = Lease();
        verifying.Verify(exchange, source, length >= 0 ? length : source.Length, representation, content, by, isWhole);
        exchange.ResponseSource = verifying;
        return true;
    }

    /// <summary>Reads which digests a client wants (RFC 9530 §4).</summary>
    public static DigestWish Wish(FieldBlock request, IntegrityPlan plan)
    {
        DigestWeights representation = default, content = default;
        for (var i = 0; i < request.Index.Count; i++)
        {
            if (request.Index[i].Known != KnownField.Other) continue;
            var name = request.Name(i);
            if (Ascii.EqualsIgnoreCase(name, "Want-Repr-Digest"u8)) representation.Read(request.Value(i));
            else if (Ascii.EqualsIgnoreCase(name, "Want-Content-Digest"u8)) content.Read(request.Value(i));
        }

        return new DigestWish(Best(representation, plan), Best(content, plan));
    }

    /// <summary>Tells the client what it wants to be told. The response's fields are final but for this.</summary>
    /// <returns>False where there is no room.</returns>
    public bool Tell(Exchange exchange)
    {
        var (response, wish) = (exchange.Response, exchange.DigestWish);
        if (response.Status is not (200 or 206) || response.IsTunnel || exchange.Request.KnownMethod is not (KnownMethod.Get or KnownMethod.Head)) return true;
        if (Tells(response.Fields, DigestField.ReprDigest)) wish = wish with { Representation = DigestAlgorithm.None };
        if (Tells(response.Fields, DigestField.ContentDigest) || !response.HasBody) wish = wish with { Content = DigestAlgorithm.None };
        Span<byte> room = stackalloc byte[DigestField.MostBytes];
        var isTold = exchange.Place.UpstreamState is null && exchange.KeptFrom is null && wish != exchange.DigestWish; // Our own answer told it: a file's.
        if (wish.Representation != DigestAlgorithm.None && Digest(exchange, wish.Representation, isContent: false, room) is { IsEmpty: false } whole)
        {
            if (!TryAdd(exchange, ReprName, wish.Representation, whole)) return false;
            (wish, isTold) = (wish with { Representation = DigestAlgorithm.None }, true);
        }

        if (wish.Content != DigestAlgorithm.None && Digest(exchange, wish.Content, isContent: true, room) is { IsEmpty: false } sent)
        {
            if (!TryAdd(exchange, ContentName, wish.Content, sent)) return false;
            (wish, isTold) = (wish with { Content = DigestAlgorithm.None }, true);
        }

        if (isTold) CountTold(isBehind: false);
        if (response.Status != 200) wish = wish with { Representation = DigestAlgorithm.None }; // Of more than comes by here.
        if (!wish.IsNone && MayFollow(exchange)) Follow(exchange, wish);
        return true;
    }

    /// <summary>The digests of a received field, whatever is passed on of it.</summary>
    internal static DigestValues Received(FieldBlock fields, ReadOnlySpan<byte> name)
    {
        DigestValues values = default;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && Ascii.EqualsIgnoreCase(fields.Name(i), name)) values.Read(fields.Value(i));
        }

        return values;
    }

    internal static DigestAlgorithm Stronger(DigestAlgorithm one, DigestAlgorithm other) => one > other ? one : other;

    internal void CountVerified() => verified++;

    internal void CountTold(bool isBehind)
    {
        if (isBehind) toldBehind++;
        else toldInHead++;
    }

    // Where it came by one request, that request's end tells its endpoint's health; where it was put together, whoever told the digest
    // answers for it.
    internal void Mistold(Exchange exchange, DigestAlgorithm algorithm, byte[] field)
    {
        mismatched++;
        var what = $"what it sent is not what its {System.Text.Encoding.ASCII.GetString(field)} ({System.Text.Encoding.ASCII.GetString(DigestField.Name(algorithm))}) says";
        errors.Warn("integrity", $"{exchange.Place.Upstream}: {exchange.Place.Endpoint}: {what}");
        if (exchange.Origin is null && exchange.Place is { UpstreamState: Upstream upstream, EndpointState: Endpoint endpoint }) upstream.Tell(endpoint, what, exchange.Loop.Now);
    }

    internal void TakeBack(DigestSource source)
    {
        if (kept == MostKept)
        {
            source.Dispose();
            return;
        }

        kept++;
        source.NextFree = free;
        free = source;
    }

    private DigestSource Lease()
    {
        if (free is not { } source) return new DigestSource(this);
        free = source.NextFree;
        source.NextFree = null;
        kept--;
        return source;
    }

    // A part may be all there is.
    private static bool IsWhole(FieldBlock fields)
    {
        if (!fields.Index.Has(KnownField.ContentRange)) return true;
        return ContentRange.TryRead(fields.Value(fields.Index.IndexOf(KnownField.ContentRange)), out var range) && range.Count == range.Total;
    }

    private static DigestAlgorithm Known(IntegrityPlan plan, in DigestValues values)
    {
        var known = DigestAlgorithm.None;
        foreach (var algorithm in plan.Algorithms)
        {
            if (values.Has(algorithm)) known = Stronger(known, algorithm);
        }

        return known;
    }

    private static bool Announces(FieldBlock fields, ReadOnlySpan<byte> name)
    {
        if (!fields.Index.Has(KnownField.Trailer)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Trailer) continue;
            foreach (var element in new ListElements(fields.Value(i)))
            {
                if (Ascii.EqualsIgnoreCase(element, name)) return true;
            }
        }

        return false;
    }

    // Whether the answer tells one as it is sent on, in its head or behind it.
    private static bool Tells(FieldBlock fields, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && !fields.IsDropped(i) && Ascii.EqualsIgnoreCase(fields.Name(i), name)) return true;
        }

        foreach (ref readonly var added in fields.Added)
        {
            if (Ascii.EqualsIgnoreCase(added.Name.Span, name)) return true;
        }

        return Announces(fields, name) && !fields.Withholds(name);
    }

    private static DigestAlgorithm Best(in DigestWeights weights, IntegrityPlan plan)
    {
        var (best, most) = (DigestAlgorithm.None, 0);
        foreach (var algorithm in plan.Algorithms)
        {
            if (weights.Of(algorithm) > most) (best, most) = (algorithm, weights.Of(algorithm));
        }

        return best;
    }

    // What is known of the body, or is soon known.
    private static ReadOnlySpan<byte> Digest(Exchange exchange, DigestAlgorithm algorithm, bool isContent, Span<byte> room)
    {
        var response = exchange.Response;
        if (KeptOf(exchange) is { } body) return isContent && response.Status != 200 ? default : body.Made(DigestEncoder.Of(algorithm));
        if (!response.HasBody || exchange.ResponseSource != exchange.OwnBody || exchange.OwnBody.Length > Quick || (!isContent && response.Status != 200)) return default;
        exchange.OwnBody.TryRead(out var bytes);
        return room[..(algorithm == DigestAlgorithm.Sha512 ? SHA512.HashData(bytes, room) : SHA256.HashData(bytes, room))];
    }

    // HEAD is told of what GET would bring: not where that would be made of what is kept.
    private static KeptBody? KeptOf(Exchange exchange)
    {
        if (exchange.Response.HasBody) return exchange.ResponseSource as KeptBody;
        return exchange.Held is KeptBody held && exchange.ResponseCoding is null && exchange.Response.AnnouncedLength == held.Length ? held : null;
    }

    private static bool TryAdd(Exchange exchange, ByteRange name, DigestAlgorithm algorithm, ReadOnlySpan<byte> digest)
    {
        if (!exchange.Scratch.TryTake(DigestField.MostText, out var room, out var range)) return false;
        exchange.Response.Fields.Add(KnownField.Other, name, exchange.Scratch.Trim(range, DigestField.Write(algorithm, digest, room)));
        return true;
    }

    // RFC 9110 §6.5.1: a client that says that it takes trailers, and chunks.
    private static bool MayFollow(Exchange exchange) =>
        exchange.Request is { AcceptsTrailers: true, Version: not HttpVersion.Http10 } && exchange.Response is { HasBody: true, BodyLength: < 0 };

    private void Follow(Exchange exchange, DigestWish wish)
    {
        var telling = Lease();
        telling.Tell(exchange, exchange.ResponseSource!, wish);
        exchange.ResponseSource = telling;
        if (wish.Representation != DigestAlgorithm.None) exchange.Response.Fields.Add(KnownField.Trailer, TrailerName, ReprName);
        if (wish.Content != DigestAlgorithm.None) exchange.Response.Fields.Add(KnownField.Trailer, TrailerName, ContentName);
    }
}
