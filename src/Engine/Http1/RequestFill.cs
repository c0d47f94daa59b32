// From a parsed HTTP/1.1 head to the neutral request.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

namespace Weir.Engine.Http1;

/// <summary>Fills an exchange's request.</summary>
public static class RequestFill
{
    // Names of protocols; a longer list is not offered on.
    private const int MostUpgradeBytes = 512;

    private static readonly byte[] Slash = "/"u8.ToArray();

    /// <summary>Fills it from a head whose bytes lie in a block.</summary>
    /// <param name="exchange">Whose request it becomes.</param>
    /// <param name="head">The parsed head.</param>
    /// <param name="block">The bytes.</param>
    /// <param name="start">Where the head begins in them.</param>
    /// <param name="whole">False for a head that was refused: only what was read of it is filled in.</param>
    /// <returns>False where there is no room for what must be kept.</returns>
    public static bool From(Exchange exchange, RequestHead head, byte[] block, int start, bool whole = true)
    {
        var request = exchange.Request;
        ByteRange Range(Slice slice) => new(block, start + slice.Start, slice.Length);

        request.Fields.Reset(block, start, head.Fields);
        request.Version = head.MinorVersion == 0 ? HttpVersion.Http10 : HttpVersion.Http11;
        request.KnownMethod = head.KnownMethod;
        request.Method = Range(head.Method);
        request.Target = Range(head.Target);
        request.Form = head.Form;
        request.Authority = Range(head.Authority);
        request.Port = head.Port;
        request.IsHttpsTarget = head.IsHttpsTarget;
        if (!whole) return true;

        request.Path = head.Path.IsEmpty && head.Form == TargetForm.Absolute && (head.KnownMethod != KnownMethod.Options || head.HasQuery) ? ByteRange.Of(Slash) : Range(head.Path);
        request.Query = Range(head.Query);
        request.HasQuery = head.HasQuery;
        request.ForwardedPath = request.Path;
        request.ForwardedQuery = request.Query;
        request.HasForwardedQuery = request.HasQuery;
        request.HasBody = head.Framing == BodyFraming.Chunked || (head.Framing == BodyFraming.Length && head.ContentLength > 0);
        request.BodyLength = head.Framing == BodyFraming.Chunked ? -1 : head.ContentLength;
        request.ExpectsContinue = head.ExpectsContinue;
        request.AcceptsTrailers = head.AcceptsTrailers;
        request.WantsUpgrade = head.HasUpgrade;
        if (head.HasUpgrade)
        {
            ref readonly var upgrade = ref head.Fields[head.Fields.IndexOf(KnownField.Upgrade)];
            request.UpgradeProtocol = Range(new Slice(upgrade.ValueStart, upgrade.ValueLength));
            // HTTP/2 inside a tunnel would carry requests past every route and policy; it is not upgraded to (RFC 9113 §3.1).
            request.WantsUpgrade = head.Fields.CountOf(KnownField.Upgrade) == 1 && request.UpgradeProtocol.Length <= MostUpgradeBytes && !Names(request.UpgradeProtocol.Span, "h2c"u8);
        }

        // RFC 9110 §10.1.1: an expectation in HTTP/1.0 is ignored, and so not passed on in our 1.1; without content there is none.
        if (head.MinorVersion == 0 || !request.HasBody)
        {
            request.Fields.Drop(KnownField.Expect);
            request.ExpectsContinue = false;
        }

        if (head.Fields.HasOddNames) HeadFormat.DropTwins(request.Fields);

        request.Host = Range(head.Host);
        HeadFormat.DropHopByHop(request.Fields);
        if (!exchange.Scratch.TryTake(head.Host.Length, out var room, out var host)) return false;
        request.Host = host.Slice(0, HostName.Normalize(request.Host.Span, room));
        return true;
    }

    /// <summary>Whether a list of protocols names one.</summary>
    internal static bool Names(ReadOnlySpan<byte> list, ReadOnlySpan<byte> protocol)
    {
        foreach (var element in new ListElements(list))
        {
            if (Ascii.EqualsIgnoreCase(element, protocol)) return true;
        }

        return false;
    }
}
