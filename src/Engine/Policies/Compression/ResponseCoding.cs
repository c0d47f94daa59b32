// Responses on their way to a client: decompressed where it does not take what came, compressed where it takes that and it is
// worth it. What is chosen is one question, doing it another: a stored answer may have been compressed before.
//
//   the representation's own say (range, coding, no-transform) → its type and length → what the client takes → a coder

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Compression;

/// <summary>Why a response stays as it is.</summary>
public enum Untouched : byte
{
    /// <summary>It does not.</summary>
    Not,

    /// <summary>It has no content, a part of it, or is no ordinary response.</summary>
    Status,

    /// <summary>It has a coding already.</summary>
    Encoded,

    /// <summary>Its origin forbids it, or its client asks that nobody does it (RFC 9111 §5.2.1.6, §5.2.2.6).</summary>
    NoTransform,

    /// <summary>Its media type is not one of those.</summary>
    Type,

    /// <summary>It is too short.</summary>
    Size,

    /// <summary>Another site brought the request about.</summary>
    CrossSite,

    /// <summary>The client takes none of the codings, or would rather have none.</summary>
    NotAccepted,

    /// <summary>Too much is being compressed, or memory is short.</summary>
    Busy,

    /// <summary>How many there are.</summary>
    Count,
}

/// <summary>In which coding a response goes out.</summary>
public readonly record struct CodingChoice(Coding Coding, Untouched Why)
{
    /// <summary>Whether another client would have got another coding.</summary>
    public bool Varies => Why is Untouched.Not or Untouched.CrossSite or Untouched.NotAccepted or Untouched.Busy;
}

/// <summary>Chooses the coding of responses, and changes it.</summary>
public static class ResponseCoding
{
    /// <summary>What a route says, done to a response whose fields are final otherwise.</summary>
    /// <returns>False where what must be decompressed cannot be: memory is short.</returns>
    public static bool Apply(Exchange exchange, ResponseCodingPlan plan, BodyCoders coders)
    {
        if (exchange.Response.Status == 304) return TryRevise(exchange, plan);
        if (plan.Decompress is { } decompress && !TryDecompress(exchange, decompress, coders)) return false;
        if (plan.Compress is not { } compress) return true;
        var choice = Choose(exchange, compress);
        if (compress.Dictionaries && DictionaryCoding.Of(exchange) is { } kept && choice.Why is Untouched.Not or Untouched.NotAccepted)
        {
            CodingFields.VaryByDictionary(exchange.Response.Fields);
            if (DictionaryCoding.Begin(exchange, compress, kept, coders)) return true;
        }

        if (choice.Coding != Coding.Identity && !Begin(exchange, compress, choice.Coding, coders)) choice = new CodingChoice(Coding.Identity, Untouched.Busy);
        if (choice.Varies) CodingFields.Vary(exchange.Response.Fields);
        if (choice.Why != Untouched.Not) coders.Skip(choice.Why);
        return true;
    }

    /// <summary>
    /// Whether the client can be given what came, whatever is done to it; where not, the request becomes one whose answer it can be given.
    /// To be asked once, of a response whose fields are as they came.
    /// </summary>
    public static bool AsksOtherwise(Exchange exchange, ResponseCodingPlan plan)
    {
        if (IsOfAnother(exchange, plan)) return AskForWhole(exchange);
        if (plan.Decompress is null || !MayNotBeDecompressed(exchange)) return false;
        CodingFields.Accept(exchange.Request.Fields, Codings.Name(Coding.Identity));
        return true;
    }

    /// <summary>Makes a request whose part might be of another one for the whole: it has a body, and cannot be sent again once that shows.</summary>
    public static void AskForWholeAtOnce(Exchange exchange)
    {
        if (CodingFields.ResumesByDate(exchange.Request.Fields)) AskForWhole(exchange);
    }

    private static bool AskForWhole(Exchange exchange)
    {
        exchange.Request.Fields.Drop(KnownField.Range);
        exchange.Request.Fields.Drop(KnownField.IfRange);
        return true;
    }

    // A part, or that there is none, answers a client that has the beginning of another representation: what is coded here has the date of
    // what it is made of, and If-Range with a date does not tell them apart (RFC 9110 §8.8.2.2, §13.1.5). Nor does a weak tag, where a
    // server takes it all the same.
    private static bool IsOfAnother(Exchange exchange, ResponseCodingPlan plan)
    {
        var (request, response) = (exchange.Request, exchange.Response);
        if (response.Status is not (206 or 416) || !CodingFields.ResumesByDate(request.Fields)) return false;
        if (plan.Compress is { } compress && WouldBeCompressed(exchange, compress)) return true;
        if (plan.Decompress is null) return false;
        if (response.Status == 416) return true;
        Span<Coding> codings = stackalloc Coding[CodingFields.MostInRow];
        return CodingFields.Read(response.Fields, codings) is var count and > 0 && !CodingFields.ForbidTransform(response.Fields) && !Takes(request, codings[..count]);
    }

    // Its origin was asked for this coding here, not by the client, and says no-transform: what nobody may undo must not have been asked
    // for (RFC 9110 §7.7).
    private static bool MayNotBeDecompressed(Exchange exchange)
    {
        var (request, response) = (exchange.Request, exchange.Response);
        if (!IsWhole(response) || !CodingFields.AsksForOthers(request.Fields) || !CodingFields.ForbidTransform(response.Fields)) return false;
        Span<Coding> codings = stackalloc Coding[CodingFields.MostInRow];
        return CodingFields.Read(response.Fields, codings) is var count and > 0 && !Takes(request, codings[..count]);
    }

    /// <summary>In which coding the response is to go out, were there a coder for it. Changes nothing.</summary>
    public static CodingChoice Choose(Exchange exchange, CompressionPlan plan)
    {
        var response = exchange.Response;
        var fields = response.Fields;
        if (!IsWhole(response)) return new CodingChoice(Coding.Identity, Untouched.Status);
        Span<Coding> codings = stackalloc Coding[1];
        if (CodingFields.Read(fields, codings) != 0) return new CodingChoice(Coding.Identity, Untouched.Encoded);
        if (CodingFields.ForbidTransform(fields) || CodingFields.ForbidTransform(exchange.Request.Fields)) return new CodingChoice(Coding.Identity, Untouched.NoTransform);
        var accepted = Accepted(exchange.Request, plan, out var isForced);
        var length = response.HasBody ? response.BodyLength : response.AnnouncedLength;
        if (length == 0) return new CodingChoice(Coding.Identity, Untouched.Size);

        // Who refuses what has no coding gets none such, be it worth it or not.
        if (!isForced && !plan.Types.Holds(CodingFields.First(fields, KnownField.ContentType))) return new CodingChoice(Coding.Identity, Untouched.Type);
        if (!isForced && length >= 0 && length < plan.MinSize) return new CodingChoice(Coding.Identity, Untouched.Size);
        if (accepted == Coding.Identity) return new CodingChoice(accepted, Untouched.NotAccepted);
        if (!isForced && !plan.CrossSite && IsCrossSite(exchange.Request)) return new CodingChoice(Coding.Identity, Untouched.CrossSite);
        return new CodingChoice(accepted, Untouched.Not);
    }

    /// <summary>What of a plan's codings a client would rather have than any other, or than none (RFC 9110 §12.5.3).</summary>
    /// <param name="request">The client's.</param>
    /// <param name="plan">What is offered.</param>
    /// <param name="isForced">It takes one of them, and refuses what has none.</param>
    public static Coding Accepted(Request request, CompressionPlan plan, out bool isForced)
    {
        isForced = false;
        if (!request.Fields.Index.Has(KnownField.AcceptEncoding)) return Coding.Identity;
        Span<int> qualities = stackalloc int[plan.Names.Length];
        var plain = AcceptedCodings.Read(request.Fields, plan.Names, qualities);
        var best = 0;
        for (var i = 1; i < qualities.Length; i++)
        {
            if (qualities[i] > qualities[best]) best = i;
        }

        if (qualities[best] == 0 || plain > qualities[best]) return Coding.Identity;
        isForced = plain == 0;
        return plan.Codings[best].Coding;
    }

    /// <summary>Compresses the response, and says so in its fields; Vary is the caller's to say.</summary>
    /// <returns>False, with everything as it was, where there is no coder for it.</returns>
    public static bool Begin(Exchange exchange, CompressionPlan plan, Coding coding, BodyCoders coders)
    {
        var response = exchange.Response;
        if (response.HasBody && exchange.ResponseSource is KeptBody kept && kept.Has(WholeEncoder.Of(coding)))
        {
            if (!TryTell(exchange, Codings.Name(coding))) return false;
            kept.GoOver(WholeEncoder.Of(coding));
            response.BodyLength = kept.Length;
            exchange.ResponseCoding = Codings.Name(coding);
            return true;
        }

        var isLive = MediaTypeList.IsLive(CodingFields.First(response.Fields, KnownField.ContentType));
        var coded = response.HasBody ? coders.TryCompress(exchange, exchange.ResponseSource!, CodedBody.ResponseCompressed, coding, plan.LevelOf(coding), isLive) : null;
        if (response.HasBody && coded is null) return false;
        if (!TryTell(exchange, Codings.Name(coding))) return false;
        exchange.ResponseCoding = Codings.Name(coding);
        if (coded is not null) exchange.ResponseSource = coded;
        return true;
    }

    /// <summary>Says in the response's fields that its body is in this coding, (empty: in none), made from what the fields spoke of before; its length is not known.</summary>
    /// <returns>False, with everything as it was, where there is no room.</returns>
    public static bool TryTell(Exchange exchange, byte[] coding)
    {
        var response = exchange.Response;
        if (!CodingFields.TryWeaken(exchange, response.Fields)) return false;
        CodingFields.Recode(response.Fields, coding);
        response.Fields.Drop(KnownField.AcceptRanges); // A range of what is made as it goes cannot be had.
        response.AnnouncedLength = -1;
        if (response.HasBody) response.BodyLength = -1;
        return true;
    }

    private static bool TryDecompress(Exchange exchange, DecompressionPlan plan, BodyCoders coders)
    {
        var response = exchange.Response;
        if (!IsWhole(response)) return true;
        Span<Coding> codings = stackalloc Coding[CodingFields.MostInRow];
        var count = CodingFields.Read(response.Fields, codings);
        if (count <= 0) return true;
        CodingFields.Vary(response.Fields);
        if (CodingFields.ForbidTransform(response.Fields) || Takes(exchange.Request, codings[..count])) return true;
        var source = exchange.ResponseSource!;
        for (var i = count - 1; i >= 0 && response.HasBody; i--)
        {
            if (coders.TryDecompress(exchange, source, CodedBody.ResponseDecompressed, codings[i], plan.MostSize, plan.MostRatio) is not { } coded) return false;
            source = coded;
        }

        exchange.ResponseSource = source;
        return TryTell(exchange, []);
    }

    // The whole of which this is a part. What the part does not tell speaks for it.
    private static bool WouldBeCompressed(Exchange exchange, CompressionPlan plan)
    {
        var (request, response) = (exchange.Request, exchange.Response);
        if (CodingFields.ForbidTransform(request.Fields) || Accepted(request, plan, out var isForced) == Coding.Identity) return false;
        if (!isForced && !plan.CrossSite && IsCrossSite(request)) return false;
        if (response.Status == 416) return true;
        Span<Coding> codings = stackalloc Coding[1];
        if (CodingFields.ForbidTransform(response.Fields) || CodingFields.Read(response.Fields, codings) != 0) return false;
        if (isForced) return true;
        var type = CodingFields.First(response.Fields, KnownField.ContentType);
        if (!plan.Types.Holds(type) && !MediaTypeList.IsOfParts(type)) return false;
        return !ContentRange.TryRead(CodingFields.First(response.Fields, KnownField.ContentRange), out var range) || range.Total >= plan.MinSize;
    }

    // A client that says nothing may take anything (RFC 9110 §12.5.3), but what it is sent unasked it may not understand.
    private static bool Takes(Request request, ReadOnlySpan<Coding> codings)
    {
        Span<int> qualities = stackalloc int[1];
        foreach (var coding in codings)
        {
            AcceptedCodings.Read(request.Fields, [Codings.Name(coding)], qualities);
            if (qualities[0] == 0) return false;
        }

        return true;
    }

    // A client that has the weak form of the tag is told that one, and caches that the answer was chosen.
    private static bool TryRevise(Exchange exchange, ResponseCodingPlan plan)
    {
        var fields = exchange.Response.Fields;
        if (CodingFields.ForbidTransform(fields)) return true;
        var type = CodingFields.First(fields, KnownField.ContentType);
        if (plan.Decompress is null && !type.IsEmpty && !plan.Compress!.Types.Holds(type)) return true;
        if (plan.Compress?.Dictionaries == true && DictionaryCoding.Of(exchange) is not null) CodingFields.VaryByDictionary(fields);
        else CodingFields.Vary(fields);
        return !CodingFields.AsksByWeakForm(exchange.Request.Fields, CodingFields.First(fields, KnownField.ETag)) || CodingFields.TryWeaken(exchange, fields);
    }

    private static bool IsWhole(Response response) =>
        response.Status is >= 200 and not (204 or 205 or 206 or 304) && !response.IsTunnel && CodingFields.First(response.Fields, KnownField.ContentRange).IsEmpty;

    // Fetch metadata: browsers say who brought a request about.
    private static bool IsCrossSite(Request request)
    {
        var fields = request.Fields;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && Ascii.EqualsIgnoreCase(fields.Name(i), "sec-fetch-site"u8)) return Ascii.EqualsIgnoreCase(fields.Value(i), "cross-site"u8);
        }

        return false;
    }
}
