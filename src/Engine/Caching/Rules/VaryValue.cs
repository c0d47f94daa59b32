// A request's value of one field, in the form in which values that mean the same are the same bytes (RFC 9111 §4.1): lines are
// joined; white space around commas goes, but where the field is no list; languages and codings have no case, and no order but their
// weights' (RFC 9110 §12.4.2). Each value begins with its form and ends with LF, neither of which a value can hold, so that no
// two requests meet in a key that were not read alike.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

internal static class VaryValue
{
    private const byte Absent = 0x01;
    private const byte Exact = 0x02;
    private const byte List = 0x03;
    private const byte Weighted = 0x04;

    // Between the lines of an exact value.
    private const byte NextLine = 0x05;

    // Nobody names more languages or codings; who does is compared as a list.
    private const int MostElements = 32;
    private const int MostWeightedBytes = 512;

    private struct Element
    {
        public int Start;
        public int Length;
        public int Quality;
    }

    public static bool TryWrite(ref SpanWriter to, FieldBlock request, KnownField known, ReadOnlySpan<byte> name)
    {
        var (lines, bytes, isClosed) = (0, 0, true);
        foreach (var value in new SentLines(request, known, name))
        {
            lines++;
            bytes += value.Length + 1;
            isClosed &= ListElements.IsClosed(value);
        }

        if (to.Free.Length < bytes + 2) return false;
        if (lines == 0) to.Write(Absent);
        else if (!isClosed || IsSingle(known)) WriteExact(ref to, new SentLines(request, known, name));
        else if (known is not (KnownField.AcceptLanguage or KnownField.AcceptEncoding) || !TryWriteWeighted(ref to, new SentLines(request, known, name), bytes)) WriteList(ref to, new SentLines(request, known, name));
        to.Write((byte)'\n');
        return true;
    }

    // Values that are no lists, whatever commas they hold.
    private static bool IsSingle(KnownField known) => known is
        KnownField.Cookie or KnownField.Authorization or KnownField.ProxyAuthorization or KnownField.UserAgent or KnownField.Referer or KnownField.Origin or KnownField.Host or
        KnownField.IfModifiedSince or KnownField.IfUnmodifiedSince or KnownField.IfRange or KnownField.Date or KnownField.ContentType or KnownField.Traceparent or KnownField.XRequestId;

    private static void WriteExact(ref SpanWriter to, SentLines lines)
    {
        to.Write(Exact);
        var isFirst = true;
        foreach (var value in lines)
        {
            if (!isFirst) to.Write(NextLine);
            isFirst = false;
            to.Write(value);
        }
    }

    private static void WriteList(ref SpanWriter to, SentLines lines)
    {
        to.Write(List);
        var isFirst = true;
        foreach (var value in lines)
        {
            if (!isFirst) to.Write((byte)',');
            isFirst = false;
            for (var rest = value; ;)
            {
                var end = ListElements.ElementEnd(rest);
                to.Write(Ascii.TrimWhiteSpace(rest[..end]));
                if (end == rest.Length) break;
                to.Write((byte)',');
                rest = rest[(end + 1)..];
            }
        }
    }

    // False, and nothing written: too many, a weight that is none, or one name twice.
    private static bool TryWriteWeighted(ref SpanWriter to, SentLines lines, int bytes)
    {
        if (bytes > MostWeightedBytes) return false;
        Span<Element> elements = stackalloc Element[MostElements];
        Span<byte> text = stackalloc byte[MostWeightedBytes];
        var (count, used) = (0, 0);
        foreach (var value in lines)
        {
            foreach (var element in new ListElements(value))
            {
                var semicolon = element.IndexOf((byte)';');
                var name = Ascii.TrimWhiteSpace(semicolon < 0 ? element : element[..semicolon]);
                var quality = semicolon < 0 ? 1000 : Quality(Ascii.TrimWhiteSpace(element[(semicolon + 1)..]));
                if (count == MostElements || quality < 0 || !Ascii.IsToken(name)) return false;
                Ascii.ToLower(name, text[used..]);
                elements[count++] = new Element { Start = used, Length = name.Length, Quality = quality };
                used += name.Length;
            }
        }

        if (!TrySort(elements[..count], text)) return false;
        to.Write(Weighted);
        foreach (ref readonly var element in elements[..count])
        {
            to.Write(text.Slice(element.Start, element.Length));
            if (element.Quality < 1000)
            {
                to.Write((byte)';');
                to.WriteDecimal(element.Quality);
            }

            to.Write((byte)',');
        }

        return true;
    }

    // By name; false where two are the same.
    private static bool TrySort(Span<Element> elements, ReadOnlySpan<byte> text)
    {
        for (var i = 1; i < elements.Length; i++)
        {
            var element = elements[i];
            var name = text.Slice(element.Start, element.Length);
            var at = i;
            for (; at > 0; at--)
            {
                var order = text.Slice(elements[at - 1].Start, elements[at - 1].Length).SequenceCompareTo(name);
                if (order == 0) return false;
                if (order < 0) break;
                elements[at] = elements[at - 1];
            }

            elements[at] = element;
        }

        return true;
    }

    // In thousandths; -1: it is none.
    private static int Quality(ReadOnlySpan<byte> weight)
    {
        if (weight.Length is < 3 or > 7 || weight[0] is not ((byte)'q' or (byte)'Q') || weight[1] != '=' || weight[2] is not ((byte)'0' or (byte)'1')) return -1;
        var quality = (weight[2] - '0') * 1000;
        if (weight.Length > 3 && weight[3] != '.') return -1;
        var scale = 100;
        for (var i = 4; i < weight.Length; i++)
        {
            if (!Ascii.IsDigit(weight[i])) return -1;
            quality += (weight[i] - '0') * scale;
            scale /= 10;
        }

        return quality > 1000 ? -1 : quality;
    }

    // The lines of a field that are sent on: what is kept of those received, and those added.
    private ref struct SentLines(FieldBlock fields, KnownField known, ReadOnlySpan<byte> name)
    {
        private readonly FieldBlock fields = fields;
        private readonly ReadOnlySpan<byte> name = name;
        private readonly KnownField known = known;
        private int at = -1;

        public ReadOnlySpan<byte> Current { get; private set; }

        public readonly SentLines GetEnumerator() => this;

        public bool MoveNext()
        {
            var received = fields.Index.Count;
            while (++at < received + fields.Added.Length)
            {
                if (at < received)
                {
                    if (fields.Index[at].Known != known || fields.IsDropped(at) || (known == KnownField.Other && !Ascii.EqualsIgnoreCase(fields.Name(at), name))) continue;
                    Current = fields.Value(at);
                    return true;
                }

                ref readonly var added = ref fields.Added[at - received];
                if (added.Known != known || (known == KnownField.Other && !Ascii.EqualsIgnoreCase(added.Name.Span, name))) continue;
                Current = Ascii.TrimWhiteSpace(added.Value.Span);
                return true;
            }

            return false;
        }
    }
}
