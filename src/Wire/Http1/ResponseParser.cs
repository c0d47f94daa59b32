// A response's head, as strictly as a request's. How its body ends also depends on what was asked: RFC 9112 §6.3.

using Weir.Wire.Bytes;

namespace Weir.Wire.Http1;

/// <summary>Parses response heads.</summary>
public static class ResponseParser
{
    /// <summary>Parses what has been received of a head so far; see <see cref="RequestParser.Parse"/>.</summary>
    /// <param name="bytes">All bytes from the head's first on.</param>
    /// <param name="limits">Limits on the head; the target's does not apply.</param>
    /// <param name="asked">The method of the request that is answered.</param>
    /// <param name="head">Cleared before the first call for a head.</param>
    /// <param name="fault">Why it is refused, where it is.</param>
    public static ParseStatus Parse(ReadOnlySpan<byte> bytes, in HeadLimits limits, KnownMethod asked, ResponseHead head, out HeadFault fault)
    {
        ref var scan = ref head.Scan;
        while (true)
        {
            var status = scan.NextLine(bytes, out var end, out fault);
            if ((status == ParseStatus.NeedMore ? bytes.Length : end + 2) > limits.HeadBytes) fault = HeadFault.HeadTooLarge;
            if (fault != HeadFault.None) return ParseStatus.Bad;
            if (status == ParseStatus.NeedMore) return status;
            if (!scan.StartLineDone)
            {
                fault = ReadStatusLine(bytes[..end], head);
                if (fault != HeadFault.None) return ParseStatus.Bad;
                scan.StartLineDone = true;
                scan.Accept(end);
                continue;
            }

            if (end == scan.LineStart)
            {
                head.Length = end + 2;
                fault = Conclude(bytes, asked, head);
                return fault == HeadFault.None ? ParseStatus.Done : ParseStatus.Bad;
            }

            fault = scan.ReadField(bytes, end, head.Fields);
            if (head.Fields.Count > limits.Fields) fault = HeadFault.TooManyFields;
            if (fault != HeadFault.None) return ParseStatus.Bad;
            scan.Accept(end);
        }
    }

    // The space behind the status is demanded of senders, but its absence misleads nobody.
    private static HeadFault ReadStatusLine(ReadOnlySpan<byte> line, ResponseHead head)
    {
        if (line.Length < 12 || !line.StartsWith("HTTP/"u8) || !Ascii.IsDigit(line[5]) || line[6] != '.' || !Ascii.IsDigit(line[7]) || line[8] != ' ') return HeadFault.BadStatusLine;
        if (line[5] != '1') return HeadFault.UnsupportedVersion;
        if (!Ascii.TryDecimal(line.Slice(9, 3), out var code) || code is < 100 or > 599) return HeadFault.BadStatusLine;
        if (line.Length > 12 && line[12] != ' ') return HeadFault.BadStatusLine;
        head.MinorVersion = line[7] == '0' ? 0 : 1;
        head.Status = (int)code;
        head.Reason = line.Length > 13 ? new Slice(13, line.Length - 13) : default;
        return HeadFault.None;
    }

    private static HeadFault Conclude(ReadOnlySpan<byte> bytes, KnownMethod asked, ResponseHead head)
    {
        var fields = head.Fields;
        var fault = MessageRules.Connection(bytes, fields, head.MinorVersion, out var keepAlive, out var upgrade);
        if (fault != HeadFault.None) return fault;
        head.KeepAlive = keepAlive;
        head.HasUpgrade = upgrade && head.Status == 101;
        if (head.Status == 101 && !upgrade) return HeadFault.BadUpgrade;
        fault = MessageRules.Length(bytes, fields, head.MinorVersion, out var chunked, out var length);
        if (fault != HeadFault.None) return fault;
        head.AnnouncedLength = length;
        head.ContentLength = 0;
        // RFC 9112 §6.3: 1xx, 204 and 304 have no body, whatever their fields say; nor has what answers HEAD.
        if (head.Status is (>= 100 and < 200) or 204 or 304 || asked == KnownMethod.Head) head.Framing = BodyFraming.None;
        else if (asked == KnownMethod.Connect && head.Status is >= 200 and < 300) head.Framing = BodyFraming.None;
        else if (chunked) head.Framing = BodyFraming.Chunked;
        else if (length >= 0) (head.Framing, head.ContentLength) = (BodyFraming.Length, length);
        else head.Framing = BodyFraming.UntilClose;
        return HeadFault.None;
    }
}
