// A request's head, strictly: what two parties could read differently is refused, never repaired. Called again with more
// bytes behind the same ones; every byte is looked at once. RFC 9112 §2–§3, §5–§6; RFC 9110 §7, §10.1.1.

using System.Buffers;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Targets;

namespace Weir.Wire.Http1;

/// <summary>Parses request heads.</summary>
public static class RequestParser
{
    private const int LongestMethod = 64;

    // What may stand in a target: URI characters, and those that browsers leave as they are (| ^ ` { } and, refused later
    // in paths, the backslash). Never '#', '"', '<', '>', space, controls or bytes beyond ASCII.
    private static readonly SearchValues<byte> TargetBytes = SearchValues.Create(
        "!$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~|^`{}\\"u8);

    /// <summary>Whether all bytes may stand in a target.</summary>
    public static bool IsTarget(ReadOnlySpan<byte> bytes) => bytes.IndexOfAnyExcept(TargetBytes) < 0;

    /// <summary>Parses what has been received of a head so far.</summary>
    /// <param name="bytes">All bytes from the head's first on; what follows the head is left alone.</param>
    /// <param name="limits">Limits on the head.</param>
    /// <param name="head">Cleared before the first call for a head; keeps its place between calls.</param>
    /// <param name="fault">Why it is refused, where it is.</param>
    public static ParseStatus Parse(ReadOnlySpan<byte> bytes, in HeadLimits limits, RequestHead head, out HeadFault fault)
    {
        ref var scan = ref head.Scan;
        while (true)
        {
            var status = scan.NextLine(bytes, out var end, out fault);
            var seen = status == ParseStatus.NeedMore ? bytes.Length : end + 2;
            if (!scan.StartLineDone && seen - scan.LineStart > limits.TargetBytes + LongestMethod + 16) fault = HeadFault.TargetTooLong;
            else if (seen > limits.HeadBytes) fault = HeadFault.HeadTooLarge;
            if (fault != HeadFault.None) return ParseStatus.Bad;
            if (status == ParseStatus.NeedMore) return status;

            if (!scan.StartLineDone)
            {
                if (end == scan.LineStart && end == 0)
                {
                    scan.Accept(end); // One empty line before a request is skipped (RFC 9112 §2.2).
                    continue;
                }

                fault = ReadRequestLine(bytes, scan.LineStart, end, limits, head);
                if (fault != HeadFault.None) return ParseStatus.Bad;
                scan.StartLineDone = true;
                scan.Accept(end);
                continue;
            }

            if (end == scan.LineStart)
            {
                head.Length = end + 2;
                fault = Conclude(bytes, head);
                return fault == HeadFault.None ? ParseStatus.Done : ParseStatus.Bad;
            }

            fault = scan.ReadField(bytes, end, head.Fields);
            if (head.Fields.Count > limits.Fields) fault = HeadFault.TooManyFields;
            if (fault != HeadFault.None) return ParseStatus.Bad;
            scan.Accept(end);
        }
    }

    /// <summary>Recognises a method; case matters.</summary>
    public static KnownMethod MethodOf(ReadOnlySpan<byte> method) => method.Length switch
    {
        3 when method.SequenceEqual("GET"u8) => KnownMethod.Get,
        3 when method.SequenceEqual("PUT"u8) => KnownMethod.Put,
        4 when method.SequenceEqual("HEAD"u8) => KnownMethod.Head,
        4 when method.SequenceEqual("POST"u8) => KnownMethod.Post,
        5 when method.SequenceEqual("PATCH"u8) => KnownMethod.Patch,
        5 when method.SequenceEqual("TRACE"u8) => KnownMethod.Trace,
        6 when method.SequenceEqual("DELETE"u8) => KnownMethod.Delete,
        7 when method.SequenceEqual("OPTIONS"u8) => KnownMethod.Options,
        7 when method.SequenceEqual("CONNECT"u8) => KnownMethod.Connect,
        _ => KnownMethod.Other,
    };

    private static HeadFault ReadRequestLine(ReadOnlySpan<byte> bytes, int start, int end, in HeadLimits limits, RequestHead head)
    {
        var line = bytes[start..end];
        var methodLength = line.IndexOf((byte)' ');
        if (methodLength < 0) return HeadFault.BadRequestLine;
        if (!Ascii.IsToken(line[..methodLength])) return HeadFault.BadMethod;
        if (methodLength > LongestMethod) return HeadFault.MethodTooLong;
        head.Method = new Slice(start, methodLength);
        head.KnownMethod = MethodOf(line[..methodLength]);
        var rest = line[(methodLength + 1)..];
        var targetLength = rest.IndexOf((byte)' ');
        if (targetLength <= 0) return HeadFault.BadRequestLine;
        var version = rest[(targetLength + 1)..];
        if (version.Length != 8 || !version.StartsWith("HTTP/"u8) || !Ascii.IsDigit(version[5]) || version[6] != '.' || !Ascii.IsDigit(version[7])) return HeadFault.BadVersion;
        if (version[5] != '1') return HeadFault.UnsupportedVersion;
        if (targetLength > limits.TargetBytes) return HeadFault.TargetTooLong;
        head.MinorVersion = version[7] == '0' ? 0 : 1; // A higher minor version is read as ours (RFC 9110 §2.5).
        head.Target = new Slice(start + methodLength + 1, targetLength);
        return ReadTarget(bytes, head);
    }

    private static HeadFault ReadTarget(ReadOnlySpan<byte> bytes, RequestHead head)
    {
        var target = head.Target.Of(bytes);
        if (target.IndexOfAnyExcept(TargetBytes) >= 0) return HeadFault.BadTarget;
        if (head.KnownMethod == KnownMethod.Connect)
        {
            head.Form = TargetForm.Authority;
            if (!HostName.TrySplit(target, out var hostLength, out var port) || port == 0) return HeadFault.BadTarget;
            head.Authority = head.Target;
            head.Host = new Slice(head.Target.Start, hostLength);
            head.Port = port;
            return HeadFault.None;
        }

        if (target[0] == '/')
        {
            head.Form = TargetForm.Origin;
            SplitPath(target, head.Target.Start, head);
            return HeadFault.None;
        }

        if (target.SequenceEqual("*"u8))
        {
            head.Form = TargetForm.Asterisk;
            return head.KnownMethod == KnownMethod.Options ? HeadFault.None : HeadFault.BadTarget;
        }

        return ReadAbsolute(bytes, target, head);
    }

    private static HeadFault ReadAbsolute(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> target, RequestHead head)
    {
        var scheme = target.IndexOf("://"u8);
        if (scheme < 0) return HeadFault.BadTarget;
        head.IsHttpsTarget = Ascii.EqualsIgnoreCase(target[..scheme], "https"u8);
        if (!head.IsHttpsTarget && !Ascii.EqualsIgnoreCase(target[..scheme], "http"u8)) return HeadFault.BadTarget;
        head.Form = TargetForm.Absolute;
        var start = scheme + 3;
        var length = target[start..].IndexOfAny((byte)'/', (byte)'?');
        if (length < 0) length = target.Length - start;
        head.Authority = new Slice(head.Target.Start + start, length);
        if (!SetHost(bytes, head)) return HeadFault.BadHost;
        SplitPath(target[(start + length)..], head.Target.Start + start + length, head);
        return HeadFault.None;
    }

    private static void SplitPath(ReadOnlySpan<byte> pathAndQuery, int start, RequestHead head)
    {
        var question = pathAndQuery.IndexOf((byte)'?');
        head.HasQuery = question >= 0;
        head.Path = new Slice(start, question < 0 ? pathAndQuery.Length : question);
        head.Query = question < 0 ? default : new Slice(start + question + 1, pathAndQuery.Length - question - 1);
    }

    private static bool SetHost(ReadOnlySpan<byte> bytes, RequestHead head)
    {
        if (!HostName.TrySplit(head.Authority.Of(bytes), out var hostLength, out var port)) return false;
        head.Host = head.Authority with { Length = hostLength };
        head.Port = port;
        // "host:" says no port; what is sent on does without the colon.
        if (port == 0) head.Authority = head.Host;
        return true;
    }

    // The rules that need all fields.
    private static HeadFault Conclude(ReadOnlySpan<byte> bytes, RequestHead head)
    {
        var fields = head.Fields;
        var hosts = fields.CountOf(KnownField.Host);
        if (hosts > 1) return HeadFault.MultipleHost;
        if (hosts == 0 && head.MinorVersion == 1) return HeadFault.MissingHost;
        if (hosts == 1)
        {
            var index = fields.IndexOf(KnownField.Host);
            ref readonly var host = ref fields[index];
            if (head.Form is TargetForm.Origin or TargetForm.Asterisk)
            {
                head.Authority = new Slice(host.ValueStart, host.ValueLength);
                if (!SetHost(bytes, head)) return HeadFault.BadHost;
            }
            else if (!HostName.TrySplit(fields.Value(bytes, index), out _, out _))
            {
                return HeadFault.BadHost;
            }
        }

        var fault = MessageRules.Connection(bytes, fields, head.MinorVersion, out var keepAlive, out var upgrade);
        if (fault != HeadFault.None) return fault;
        head.KeepAlive = keepAlive;
        head.HasUpgrade = upgrade && head.MinorVersion == 1;
        fault = MessageRules.Length(bytes, fields, head.MinorVersion, out var chunked, out var length);
        if (fault != HeadFault.None) return fault;
        head.Framing = chunked ? BodyFraming.Chunked : length >= 0 ? BodyFraming.Length : BodyFraming.None;
        head.ContentLength = Math.Max(0, length);
        if (fields.Has(KnownField.TE)) head.AcceptsTrailers = MessageRules.SaysTrailers(bytes, fields);
        if (!fields.Has(KnownField.Expect)) return HeadFault.None;
        return Expectation(bytes, head);
    }

    // RFC 9110 §10.1.1: an expectation in HTTP/1.0 is ignored.
    private static HeadFault Expectation(ReadOnlySpan<byte> bytes, RequestHead head)
    {
        if (head.MinorVersion == 0) return HeadFault.None;
        var fields = head.Fields;
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known != KnownField.Expect) continue;
            foreach (var expectation in new ListElements(fields.Value(bytes, i)))
            {
                if (!Ascii.EqualsIgnoreCase(expectation, "100-continue"u8)) return HeadFault.UnknownExpectation;
                head.ExpectsContinue = head.Framing != BodyFraming.None;
            }
        }

        return HeadFault.None;
    }
}
