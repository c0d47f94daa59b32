// Requests' bodies on their way to an origin: decompressed for one that cannot, or compressed for one that can. What is
// recorded to be sent again is what is sent.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Policies.Compression;

/// <summary>Changes the coding of requests.</summary>
public static class RequestCoding
{
    /// <summary>What a route says, done to a request whose fields are final otherwise.</summary>
    /// <returns>A fault where the body's coding is not known, or memory is short.</returns>
    public static Fault Apply(Exchange exchange, RequestCodingPlan plan, BodyCoders coders)
    {
        if (!exchange.Request.HasBody) return Fault.None;
        return plan.Decompress.Length > 0 ? Decompress(exchange, plan, coders) : Compress(exchange, plan, coders);
    }

    /// <summary>Tells a client whose coding was not taken which ones are.</summary>
    public static void TellAccepted(Exchange exchange, RequestCodingPlan plan) => CodingFields.Accept(exchange.Response.Fields, plan.Accepted);

    private static Fault Decompress(Exchange exchange, RequestCodingPlan plan, BodyCoders coders)
    {
        Span<Coding> codings = stackalloc Coding[CodingFields.MostInRow];
        var count = CodingFields.Read(exchange.Request.Fields, codings);
        if (count == 0) return Fault.None;
        if (count < 0 || codings[..count].IndexOfAnyExcept(plan.Decompress) >= 0) return new Fault(FaultCause.UnknownContentCoding, Side.Client, Stage.Policy);
        var source = exchange.LiveBody;
        for (var i = count - 1; i >= 0; i--)
        {
            if (coders.TryDecompress(exchange, source, CodedBody.RequestDecompressed, codings[i], plan.MostSize, plan.MostRatio) is not { } coded) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
            source = coded;
        }

        Send(exchange, source, Coding.Identity);
        return Fault.None;
    }

    private static Fault Compress(Exchange exchange, RequestCodingPlan plan, BodyCoders coders)
    {
        var (request, fields) = (exchange.Request, exchange.Request.Fields);
        if (request.BodyLength >= 0 && request.BodyLength < plan.MinSize) return Fault.None;
        if (!CodingFields.First(fields, KnownField.ContentEncoding).IsEmpty || !CodingFields.First(fields, KnownField.ContentRange).IsEmpty || CodingFields.ForbidTransform(fields)) return Fault.None;
        if (!plan.Types.Holds(CodingFields.First(fields, KnownField.ContentType))) return Fault.None;
        var (coding, level) = plan.Compress;
        if (coders.TryCompress(exchange, exchange.LiveBody, CodedBody.RequestCompressed, coding, level, isLive: false) is { } coded) Send(exchange, coded, coding);
        return Fault.None;
    }

    private static void Send(Exchange exchange, BodySource body, Coding coding)
    {
        CodingFields.Recode(exchange.Request.Fields, coding == Coding.Identity ? [] : Codings.Name(coding));
        exchange.Request.BodyLength = -1;
        exchange.SentBody = body;
    }
}

/// <summary>Asks origins for answers in these codings, whatever the client takes (`response_body.accept`). Immutable.</summary>
public sealed class AskedCodings(byte[] codings) : IRequestPolicy
{
    public Verdict Apply(Exchange exchange)
    {
        // Where the answer forbids that its coding is changed it is asked for once more: not where a request has its effect each time.
        // Nor does it who wants it as it is.
        var (request, fields) = (exchange.Request, exchange.Request.Fields);
        if (request.KnownMethod is not (KnownMethod.Get or KnownMethod.Head) || request.HasBody || CodingFields.ForbidTransform(fields)) return Verdict.Continue;

        // The beginning came of what these codings brought; in the client's own the rest may be another's, under one date.
        ResponseCoding.AskForWholeAtOnce(exchange);

        // A part of what is compressed is no part of what it is made of: who asks for one asks for itself.
        if (fields.First(KnownField.Range).IsEmpty) CodingFields.Accept(fields, codings);
        return Verdict.Continue;
    }
}
