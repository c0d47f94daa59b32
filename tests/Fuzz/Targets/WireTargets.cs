// The parsers of Wire: what is split reads as what is whole, what is accepted is accepted again when it is written anew.

using System.Globalization;
using System.Text;
using Weir.Wire.Fields;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

namespace Weir.Tests.Fuzz;

internal static class WireTargets
{
    public static Target[] All => [new RequestTarget(), new ResponseTarget(), new ChunkedTarget(), new PathTarget(), new HostTarget(), new ListTarget(), new DateTarget(), new DigestTarget()];
}

internal sealed class RequestTarget : Target
{
    private readonly RequestHead whole = new();
    private readonly RequestHead split = new();

    public override string Name => "request";

    public override string[] Covers => ["Weir.Wire.Http1.RequestParser", "Weir.Wire.Http1.RequestHead", "Weir.Wire.Http1.HeadScan", "Weir.Wire.Http1.MessageRules"];

    public override IEnumerable<string> Examples => Heads.Requests;

    public override string[] Words => Heads.Words;

    public override void Check(byte[] input)
    {
        var draw = new Draw(input);
        var limits = new HeadLimits(2048, 512, 20);
        whole.Clear();
        split.Clear();
        var status = RequestParser.Parse(input, limits, whole, out var fault);
        var cut = draw.Below(input.Length + 1);
        var first = RequestParser.Parse(input.AsSpan(0, cut), limits, split, out var early);
        if (first == ParseStatus.NeedMore) first = RequestParser.Parse(input, limits, split, out early);
        if (cut <= 2048 || fault is not (HeadFault.HeadTooLarge or HeadFault.TargetTooLong)) Must(first == status && early == fault, $"split: at {cut} {first} {early}, whole {status} {fault}");
        if (status != ParseStatus.Done) return;
        Must(whole.Length <= input.Length && whole.Length <= 2048, "longer than what came");
        Must(split.Length == whole.Length && split.Framing == whole.Framing && split.ContentLength == whole.ContentLength && split.KeepAlive == whole.KeepAlive && split.Fields.Count == whole.Fields.Count, "split: says something else");

        var again = new StringBuilder($"{Text(whole.Method, input)} {Text(whole.Target, input)} HTTP/1.{whole.MinorVersion}\r\n");
        for (var i = 0; i < whole.Fields.Count; i++) again.Append(Encoding.Latin1.GetString(input, whole.Fields[i].NameStart, whole.Fields[i].NameLength)).Append(": ").Append(Encoding.Latin1.GetString(whole.Fields.Value(input, i))).Append("\r\n");
        var copy = Encoding.Latin1.GetBytes(again.Append("\r\n").ToString());
        split.Clear();
        Must(RequestParser.Parse(copy, new HeadLimits(8192, 512, 20), split, out var why) == ParseStatus.Done, $"written anew it is refused: {why}");
        Must(split.Framing == whole.Framing && split.ContentLength == whole.ContentLength && split.KeepAlive == whole.KeepAlive && split.Length == copy.Length, "written anew it says something else");
    }

    private static string Text(Slice slice, byte[] bytes) => Encoding.Latin1.GetString(slice.Of(bytes));
}

internal sealed class ResponseTarget : Target
{
    private readonly ResponseHead whole = new();
    private readonly ResponseHead split = new();

    public override string Name => "response";

    public override string[] Covers => ["Weir.Wire.Http1.ResponseParser", "Weir.Wire.Http1.ResponseHead", "Weir.Wire.Http1.HeadScan"];

    public override IEnumerable<string> Examples => Heads.Responses;

    public override string[] Words => Heads.Words;

    public override void Check(byte[] input)
    {
        var draw = new Draw(input);
        whole.Clear();
        split.Clear();
        var limits = new HeadLimits(2048, 512, 20);
        var asked = draw.Below(3) switch { 0 => KnownMethod.Head, 1 => KnownMethod.Connect, _ => KnownMethod.Get };
        var status = ResponseParser.Parse(input, limits, asked, whole, out var fault);
        var cut = draw.Below(input.Length + 1);
        var first = ResponseParser.Parse(input.AsSpan(0, cut), limits, asked, split, out var early);
        if (first == ParseStatus.NeedMore) first = ResponseParser.Parse(input, limits, asked, split, out early);
        Must(first == status && (early == fault || fault == HeadFault.HeadTooLarge || early == HeadFault.HeadTooLarge), $"split: at {cut} {first} {early}, whole {status} {fault}");
        if (status != ParseStatus.Done) return;
        Must(whole.Length <= input.Length && whole.Status is >= 100 and <= 599, "out of bounds");
        Must(split.Length == whole.Length && split.Status == whole.Status && split.Framing == whole.Framing && split.ContentLength == whole.ContentLength, "split: says something else");
    }
}

internal sealed class ChunkedTarget : Target
{
    public override string Name => "chunked";

    public override string[] Covers => ["Weir.Wire.Http1.Chunked", "Weir.Wire.Http1.ChunkExtensions"];

    public override IEnumerable<string> Examples => ["5\r\nhello\r\n0\r\n\r\n", "5;a=\"b;c\";d\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n"];

    public override string[] Words => ["\r\n", "0\r\n\r\n", ";a=b", ";a=\"\\\"\"", "\r\n0\r\nA: b\r\n\r\n", "Content-Length: 1\r\n", "7fffffffffffffff\r\n"];

    public override void Check(byte[] input)
    {
        var draw = new Draw(input);
        var (step, body, used) = Decode(input, input.Length);
        var (again, sameBody, sameUsed) = Decode(input, 1 + draw.Below(39));
        Must(step == again && (step == ChunkStep.Bad || (body == sameBody && used == sameUsed)), $"split: {again} {sameUsed}, whole {step} {used}");
        if (step != ChunkStep.End) return;
        // Read once more the simple way.
        var text = Encoding.Latin1.GetString(input);
        var expected = new StringBuilder();
        for (var at = 0; ;)
        {
            var line = text[at..text.IndexOf("\r\n", at, StringComparison.Ordinal)];
            var size = int.Parse(line.Split(';')[0].TrimEnd(' ', '\t'), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            at += line.Length + 2;
            if (size == 0) break;
            expected.Append(text, at, size);
            at += size;
            Must(text.AsSpan(at, 2) is "\r\n", "a chunk's end is not there");
            at += 2;
        }

        Must(expected.ToString() == body, "the body is another");
    }

    private static (ChunkStep Step, string Body, int Used) Decode(byte[] bytes, int size)
    {
        var decoder = new ChunkedDecoder();
        decoder.Reset();
        var body = new StringBuilder();
        var used = 0;
        for (var end = Math.Min(size, bytes.Length); ; end = Math.Min(end + size, bytes.Length))
        {
            while (true)
            {
                var step = decoder.Next(bytes.AsSpan(used, end - used), out var framing, out var piece);
                used += framing;
                Must(used + piece <= end, "beyond the input");
                if (step == ChunkStep.Piece)
                {
                    body.Append(Encoding.Latin1.GetString(bytes, used, piece));
                    decoder.Advance(piece);
                    used += piece;
                    continue;
                }

                if (step != ChunkStep.NeedMore) return (step, body.ToString(), used);
                break;
            }

            if (end == bytes.Length) return (ChunkStep.NeedMore, body.ToString(), used);
        }
    }
}

internal sealed class PathTarget : Target
{
    public override string Name => "path";

    public override string[] Covers => ["Weir.Wire.Targets.TargetPath"];

    public override IEnumerable<string> Examples => ["/a/../b/%2e%2E/c%2Fd/..;x/e", "/%41/./b//c/..%5c", "/a/b/c"];

    public override string[] Words => ["/..", "/.", "%2e", "%2E%2e", "%2f", "%5C", "..;", "//", "%00", "%"];

    public override void Check(byte[] input)
    {
        var room = new byte[input.Length + 1];
        var verdict = TargetPath.Normalize(input, room, out var length);
        if (verdict == PathVerdict.Unsafe) return;
        Must(room[0] == '/', "it does not begin with '/'");
        Must(!("/" + Encoding.Latin1.GetString(room, 0, length) + "/").Contains("/../", StringComparison.Ordinal), "'..' is left");
        // A control byte as such was refused with the target; here none may come of decoding.
        Must(input.AsSpan().IndexOfAnyInRange((byte)0, (byte)0x1F) >= 0 || room.AsSpan(0, length).IndexOfAnyInRange((byte)0, (byte)0x1F) < 0, "a control byte was decoded");
        if (verdict == PathVerdict.Plain) return;
        var resolved = new byte[input.Length + 1];
        var count = TargetPath.Resolve(input, resolved);
        var again = new byte[count + 1];
        Must(TargetPath.Normalize(resolved.AsSpan(0, count), again, out var matched) == PathVerdict.Plain, "what is forwarded is not plain");
        Must(again.AsSpan(0, matched).SequenceEqual(room.AsSpan(0, length)), "what is forwarded is not what was matched");
    }
}

internal sealed class HostTarget : Target
{
    public override string Name => "host";

    public override string[] Covers => ["Weir.Wire.Targets.HostName"];

    public override IEnumerable<string> Examples => ["a.example:80", "[::1]:8080", "1.2.3.4", "A.b."];

    public override string[] Words => ["[::ffff:1.2.3.4]", ":65535", "..", "[", "]:", "%25"];

    public override int MostBytes => 300;

    public override void Check(byte[] input)
    {
        if (!HostName.TrySplit(input, out var length, out var port)) return;
        Must(length > 0 && length <= input.Length && port is >= 0 and <= 65535, "out of bounds");
        Must(length == input.Length || input[length] == ':', "something stands between host and port");
        var normal = new byte[length];
        var count = HostName.Normalize(input.AsSpan(0, length), normal);
        var again = new byte[count];
        Must(HostName.TrySplit(normal.AsSpan(0, count), out var whole, out _) && whole == count, "its lower-case form is no host");
        if (input[length - 1] != '.') Must(HostName.Normalize(normal.AsSpan(0, count), again) == count && again.AsSpan().SequenceEqual(normal.AsSpan(0, count)), "its lower-case form has another");
    }
}

internal sealed class ListTarget : Target
{
    public override string Name => "list";

    public override string[] Covers => ["Weir.Wire.Fields.ListElements"];

    public override IEnumerable<string> Examples => ["a, \"b,c\\\"d\", e;f=\"g\" ,, h", "close, keep-alive"];

    public override int MostBytes => 512;

    public override void Check(byte[] input)
    {
        var size = 0;
        foreach (var element in new ListElements(input))
        {
            Must(!element.IsEmpty && element[0] is not ((byte)' ' or (byte)'\t') && element[^1] is not ((byte)' ' or (byte)'\t'), "an element with white space around it");
            size += element.Length + 1;
        }

        Must(size <= input.Length + 1, "more than what came");
        Must(input.AsSpan().IndexOfAnyExcept(" \t,"u8) < 0 == (size == 0), "elements are missing");
    }
}

internal sealed class DateTarget : Target
{
    public override string Name => "date";

    public override string[] Covers => ["Weir.Wire.Fields.HttpDate"];

    public override IEnumerable<string> Examples => ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];

    public override int MostBytes => 80;

    public override void Check(byte[] input)
    {
        if (!HttpDate.TryRead(input, out var utc)) return;
        var text = new byte[HttpDate.Length];
        HttpDate.Write(utc, text);
        Must(HttpDate.TryRead(text, out var again) && again == utc, "not the same date again");
    }
}

internal sealed class DigestTarget : Target
{
    public override string Name => "digest";

    public override string[] Covers => ["Weir.Wire.Fields.StructuredDictionary", "Weir.Wire.Fields.DigestValues", "Weir.Wire.Fields.DigestWeights"];

    public override IEnumerable<string> Examples =>
    [
        "sha-256=:ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=:, md5=:AAAA:", "sha-512=:H0D8ktokFpR1CXnubPWC8tXX0o4YM13gWrxU0FYM1MC/+WOS4yYzFVm+tNQuqEqbRr++QcjJVDyy3iIvM8zCUQ==:;a=1", "sha-256=10, sha-512=3, unixsum=0",
    ];

    public override string[] Words => ["sha-256", "sha-512", "=:", ":", "=", ",", ";", " ", "\t", "10", "1.5"];

    public override int MostBytes => 512;

    public override void Check(byte[] input)
    {
        DigestValues values = default;
        values.Read(input);
        var strongest = values.Strongest;
        Must(!values.IsBroken || strongest == DigestAlgorithm.None, "what is no dictionary tells a digest");
        Must(strongest == DigestAlgorithm.None || values.Has(strongest), "the strongest is not there");
        if (strongest != DigestAlgorithm.None) Must(!values.Agrees(strongest, new byte[DigestField.Size(strongest) - 1]), "a digest of another length agrees");
        values.Read("sha-256"u8);
        Must(!values.Has(DigestAlgorithm.Sha256), "the last of a name does not count");
        DigestWeights weights = default;
        weights.Read(input);
        foreach (var algorithm in new[] { DigestAlgorithm.Sha256, DigestAlgorithm.Sha512 }) Must(weights.Of(algorithm) is >= 0 and <= 10, "no weight");

        // A line cut in two where a member ends says the same.
        var cut = ListElements.ElementEnd(input);
        if (cut == input.Length || cut == 0) return;
        DigestValues alone = default, parts = default;
        alone.Read(input);
        parts.Read(input.AsSpan(0, cut));
        parts.Read(input.AsSpan(cut + 1));
        Must(alone.IsBroken || parts.IsBroken || parts.Strongest == alone.Strongest, "two lines say something else than one");
    }
}
