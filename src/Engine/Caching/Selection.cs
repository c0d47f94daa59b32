// What of a kept response a request gets: all of it, a part, or that it has it already. RFC 9111 §4.3.2, RFC 9110 §13, §14.

using Weir.Engine.Answers;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Evaluates a request's conditions and range on a kept response.</summary>
internal static class Selection
{
    private static readonly ByteRange ContentRangeName = ByteRange.Of("Content-Range"u8.ToArray());

    // Of a 304: what the client may update its own copy by (RFC 9110 §15.4.5). What describes content that does not follow goes.
    private static readonly KnownField[] OfContent = [KnownField.ContentType, KnownField.ContentEncoding, KnownField.ContentRange, KnownField.AcceptRanges];

    /// <summary>Makes the response what the request is to get.</summary>
    /// <returns>False where there is no room.</returns>
    public static bool TryApply<TReader>(Exchange exchange, StoredResponse stored, TReader reader)
        where TReader : BodySource, IPartReader
    {
        var (request, response) = (exchange.Request, exchange.Response);
        var length = reader.Total;
        if (response.Status == 200)
        {
            var tag = response.Fields.First(KnownField.ETag);
            var modified = Modified(response.Fields, stored);
            if (Preconditions.Evaluate(request.Fields, tag, modified) == 304)
            {
                response.Status = 304;
                foreach (var field in OfContent) response.Fields.Drop(field);
                DropDigests(response.Fields);
                Bodiless(exchange);
                return true;
            }

            if (length >= 0 && request.Fields.Index.Has(KnownField.Range))
            {
                // A date is a strong validator where the answer was made a second later than its content (RFC 9110 §8.8.2.2).
                var changed = HttpDate.TryRead(response.Fields.First(KnownField.LastModified), out var date) ? date : DateTime.MaxValue;
                var made = Made(response.Fields, stored);
                var (first, count, status) = ByteRanges.Choose(request, tag, changed, length, made);
                if (status != 200) return TryTake(exchange, reader, first, count, length, status);
                Span<PartRange> parts = stackalloc PartRange[ByteRanges.MostParts];
                switch (ByteRanges.ChooseSeveral(request, tag, changed, length, made, parts))
                {
                    case 0: break;
                    case -1: return TryTake(exchange, reader, 0, 0, length, 416);
                    case 1: return TryTake(exchange, reader, parts[0].First, parts[0].Count, length, 206);
                    case var several: return TryTakeParts(exchange, reader, parts[..several], length);
                }
            }
        }

        OwnResponse.SetLength(exchange, length);
        if (length < 0) (response.BodyLength, response.AnnouncedLength) = (response.HasBody ? -1 : 0, -1);
        exchange.ResponseSource = reader;
        if (!response.HasBody || length == 0) Empty(exchange);
        return true;
    }

    private static bool TryTake<TReader>(Exchange exchange, TReader reader, long first, long count, long length, int status)
        where TReader : BodySource, IPartReader
    {
        var response = exchange.Response;
        if (!exchange.Scratch.TryTake(72, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        to.Write("bytes "u8);
        if (status == 416)
        {
            to.Write((byte)'*');
        }
        else
        {
            to.WriteDecimal(first);
            to.Write((byte)'-');
            to.WriteDecimal(first + count - 1);
        }

        to.Write((byte)'/');
        to.WriteDecimal(length);
        response.Status = status;
        DropDigests(response.Fields);
        response.Fields.Drop(KnownField.ContentRange);
        response.Fields.Add(KnownField.ContentRange, ContentRangeName, exchange.Scratch.Trim(range, to.Length));
        if (status == 416)
        {
            response.Fields.Drop(KnownField.ContentType);
            response.Fields.Drop(KnownField.ContentEncoding);
            Bodiless(exchange);
            return true;
        }

        OwnResponse.SetLength(exchange, count);
        reader.Take(first, count);
        exchange.ResponseSource = reader;
        if (!response.HasBody) Empty(exchange);
        return true;
    }

    private static bool TryTakeParts(Exchange exchange, IPartReader reader, ReadOnlySpan<PartRange> parts, long length)
    {
        if (!reader.Parts.TryBegin(exchange, parts, length)) return false;
        DropDigests(exchange.Response.Fields);
        OwnResponse.SetLength(exchange, reader.Parts.Length);
        exchange.ResponseSource = reader.Parts;
        return true;
    }

    // Where nothing says when it was changed, it was no later than it was made.
    private static DateTime Modified(FieldBlock fields, StoredResponse stored)
    {
        return HttpDate.TryRead(fields.First(KnownField.LastModified), out var modified) ? modified : Made(fields, stored);
    }

    private static DateTime Made(FieldBlock fields, StoredResponse stored) => HttpDate.TryRead(fields.First(KnownField.Date), out var made) ? made : stored.Times.Received;

    // Of all of the content, as it would be sent: of less it says something wrong (RFC 9530 §2).
    internal static void DropDigests(FieldBlock fields)
    {
        fields.Drop(KnownField.ContentMd5);
        if (fields.Index.Has(KnownField.Other)) fields.Drop(KnownField.Other, "Content-Digest"u8);
    }

    private static void Bodiless(Exchange exchange)
    {
        OwnResponse.SetLength(exchange, 0);
        Empty(exchange);
    }

    private static void Empty(Exchange exchange)
    {
        exchange.OwnBody.Reset(default);
        exchange.ResponseSource = exchange.OwnBody;
    }
}
