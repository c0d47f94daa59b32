// By which fields of a request the answers for one target differ (RFC 9111 §4.1, RFC 9110 §12.5.5), and what a request's values
// of them come to: two requests with the same bytes get one answer. Names are lower case, in order, each once, with a comma
// between them: they and the values are kept beside a stored response.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>How much a response's Vary says.</summary>
public enum VaryExtent : byte
{
    Nothing,
    Names,

    /// <summary>"*", or something that is no name: nothing can match it.</summary>
    Any,

    /// <summary>More than <see cref="VaryRule"/> takes.</summary>
    TooMuch,
}

/// <summary>Reads Vary, and what it names of a request.</summary>
public static class VaryRule
{
    /// <summary>The most names a Vary may list.</summary>
    public const int MostNames = 16;

    /// <summary>The most bytes they may have, commas included.</summary>
    public const int MostNameBytes = 512;

    /// <summary>The most bytes of values. A request with more is answered by the origin, and its answer is not stored.</summary>
    public const int MostValueBytes = 2048;

    private struct Place
    {
        public int Start;
        public int Length;
    }

    /// <summary>What a response's Vary comes to; reads all that was received, as <see cref="ResponseDirectives.Of"/> does.</summary>
    public static VaryExtent Look(FieldBlock response)
    {
        if (!response.Index.Has(KnownField.Vary)) return VaryExtent.Nothing;
        var (count, bytes) = (0, 0);
        for (var i = 0; i < response.Index.Count; i++)
        {
            if (response.Index[i].Known != KnownField.Vary) continue;
            foreach (var name in new ListElements(response.Value(i)))
            {
                if (name.SequenceEqual("*"u8) || !Ascii.IsToken(name)) return VaryExtent.Any;
                count++;
                bytes += name.Length + 1;
            }
        }

        if (count > MostNames || bytes > MostNameBytes) return VaryExtent.TooMuch;
        return count == 0 ? VaryExtent.Nothing : VaryExtent.Names;
    }

    /// <summary>Writes the names of a response that <see cref="Look"/> found nothing against.</summary>
    /// <param name="response">Its fields.</param>
    /// <param name="into">At least <see cref="MostNameBytes"/>.</param>
    /// <returns>Bytes written; 0: one answer for all.</returns>
    public static int WriteNames(FieldBlock response, Span<byte> into)
    {
        if (Look(response) != VaryExtent.Names) return 0;
        Span<Place> places = stackalloc Place[MostNames];
        Span<byte> text = stackalloc byte[MostNameBytes];
        var (count, used) = (0, 0);
        for (var i = 0; i < response.Index.Count; i++)
        {
            if (response.Index[i].Known != KnownField.Vary) continue;
            foreach (var element in new ListElements(response.Value(i)))
            {
                var name = text.Slice(used, element.Length);
                Ascii.ToLower(element, name);
                var at = count;
                while (at > 0 && text.Slice(places[at - 1].Start, places[at - 1].Length).SequenceCompareTo(name) > 0) at--;
                if (at > 0 && text.Slice(places[at - 1].Start, places[at - 1].Length).SequenceEqual(name)) continue;
                places[at..count].CopyTo(places[(at + 1)..]);
                places[at] = new Place { Start = used, Length = name.Length };
                used += name.Length;
                count++;
            }
        }

        var to = new SpanWriter(into);
        foreach (ref readonly var place in places[..count])
        {
            if (to.Length > 0) to.Write((byte)',');
            to.Write(text.Slice(place.Start, place.Length));
        }

        return to.Length;
    }

    /// <summary>Writes a request's values.</summary>
    /// <param name="names">What <see cref="WriteNames"/> wrote.</param>
    /// <param name="request">Its fields, as they are sent on: what the origin chooses by.</param>
    /// <param name="into">At least <see cref="MostValueBytes"/>.</param>
    /// <param name="length">Bytes written.</param>
    /// <returns>False where there are too many.</returns>
    public static bool TryWriteValues(ReadOnlySpan<byte> names, FieldBlock request, Span<byte> into, out int length)
    {
        length = 0;
        var to = new SpanWriter(into[..MostValueBytes]);
        foreach (var name in new ListElements(names))
        {
            if (!VaryValue.TryWrite(ref to, request, KnownFields.Lookup(name), name)) return false;
        }

        length = to.Length;
        return true;
    }

    /// <summary>Whether a request's values are those that were written for another one.</summary>
    public static bool Matches(ReadOnlySpan<byte> names, ReadOnlySpan<byte> values, FieldBlock request)
    {
        if (names.IsEmpty) return true;
        Span<byte> own = stackalloc byte[MostValueBytes];
        return TryWriteValues(names, request, own, out var length) && own[..length].SequenceEqual(values);
    }
}
