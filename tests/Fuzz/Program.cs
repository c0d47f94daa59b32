// fuzz TARGET SECONDS [SEED]: mutates examples and checks what must always hold. Prints executions and how many different
// outcomes (status, fault, and sizes by power of two) were seen: a rough measure of reach, not covered branches.

using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Text;
using Weir.Wire.Fields;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

var targets = new Dictionary<string, (Func<byte[], Random, int> Check, string[] Examples)>
{
    ["request"] = (Request, ["GET /a?b HTTP/1.1\r\nHost: a.example:80\r\nConnection: keep-alive, x\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n", "POST http://[::1]:8/x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nUpgrade: a/1\r\n\r\n", "OPTIONS * HTTP/1.0\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"]),
    ["response"] = (Response, ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b; Domain=c\r\n\r\n", "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.0 304 \r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"]),
    ["chunked"] = (Chunked, ["5\r\nhello\r\n0\r\n\r\n", "5;a=\"b;c\";d\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n"]),
    ["target"] = (Target, ["/a/../b/%2e%2E/c%2Fd/..;x/e", "/%41/./b//c/..%5c", "/a/b/c?d"]),
    ["host"] = (Host, ["a.example:80", "[::1]:8080", "1.2.3.4", "A.b."]),
    ["list"] = (List, ["a, \"b,c\\\"d\", e;f=\"g\" ,, h", "close, keep-alive"]),
    ["date"] = (Date, ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]),
};
if (args.Length < 2 || !(args[0] == "all" || targets.ContainsKey(args[0])))
{
    Console.Error.WriteLine($"fuzz TARGET SECONDS [SEED]; targets: all {string.Join(' ', targets.Keys)}");
    return 2;
}

var seed = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 1;
foreach (var (name, (check, examples)) in targets.Where(t => args[0] == "all" || args[0] == t.Key))
{
    var random = new Random(seed);
    var corpus = examples.Select(Encoding.Latin1.GetBytes).ToList();
    var seen = new HashSet<int>();
    var clock = Stopwatch.StartNew();
    var executions = 0L;
    for (; clock.Elapsed.TotalSeconds < double.Parse(args[1], CultureInfo.InvariantCulture); executions++)
    {
        var input = Mutate(corpus, random);
        try
        {
            if (seen.Add(check(input, random)) && corpus.Count < 4096) corpus.Add(input);
        }
        catch (Exception failure)
        {
            Console.WriteLine($"{name}: seed {seed}, execution {executions}: {failure.Message}\n{Convert.ToBase64String(input)}\n{failure.StackTrace}");
            return 1;
        }
    }

    Console.WriteLine($"{name}: {executions:N0} executions, {seen.Count} outcomes, clean");
}

return 0;

static byte[] Mutate(List<byte[]> corpus, Random random)
{
    const string Telling = "\r\n\t :;,=\"\\/%.*?#@[]\0\x7f\xe9-+0159aAfFxX";
    var bytes = corpus[random.Next(corpus.Count)].ToList();
    for (var n = random.Next(1, 6); n > 0; n--)
    {
        var at = random.Next(bytes.Count + 1);
        switch (random.Next(5))
        {
            case 0 when at < bytes.Count: bytes[at] = (byte)Telling[random.Next(Telling.Length)]; break;
            case 1: bytes.Insert(at, (byte)Telling[random.Next(Telling.Length)]); break;
            case 2 when at < bytes.Count: bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at)); break;
            case 3 when bytes.Count < 4096: bytes.InsertRange(at, bytes.GetRange(at / 2, Math.Min(20, bytes.Count - (at / 2)))); break;
            default:
                var other = corpus[random.Next(corpus.Count)];
                if (bytes.Count < 4096) bytes.InsertRange(at, other[random.Next(other.Length + 1)..]);
                break;
        }
    }

    return [.. bytes];
}

static void Must(bool holds, string what)
{
    if (!holds) throw new InvalidOperationException(what);
}

static int Request(byte[] bytes, Random random)
{
    var (whole, split) = (new RequestHead(), new RequestHead());
    var limits = new HeadLimits(2048, 512, 20);
    var status = RequestParser.Parse(bytes, limits, whole, out var fault);
    var cut = random.Next(bytes.Length + 1);
    var first = RequestParser.Parse(bytes.AsSpan(0, cut), limits, split, out var early);
    if (first == ParseStatus.NeedMore) first = RequestParser.Parse(bytes, limits, split, out early);
    if (cut <= 2048 || fault is not (HeadFault.HeadTooLarge or HeadFault.TargetTooLong)) Must(first == status && early == fault, $"split at {cut}: {first} {early}, whole: {status} {fault}");
    if (status != ParseStatus.Done) return HashCode.Combine(status, fault);
    Must(whole.Length <= bytes.Length && whole.Length <= 2048, "longer than what came");
    // What is accepted is accepted again from its own parts, and says the same.
    var again = new StringBuilder($"{Text(whole.Method, bytes)} {Text(whole.Target, bytes)} HTTP/1.{whole.MinorVersion}\r\n");
    for (var i = 0; i < whole.Fields.Count; i++) again.Append(Encoding.Latin1.GetString(bytes, whole.Fields[i].NameStart, whole.Fields[i].NameLength)).Append(": ").Append(Encoding.Latin1.GetString(whole.Fields.Value(bytes, i))).Append("\r\n");
    var copy = Encoding.Latin1.GetBytes(again.Append("\r\n").ToString());
    var second = new RequestHead();
    Must(RequestParser.Parse(copy, new HeadLimits(8192, 512, 20), second, out var why) == ParseStatus.Done, $"written anew it is refused: {why}");
    Must(second.Framing == whole.Framing && second.ContentLength == whole.ContentLength && second.KeepAlive == whole.KeepAlive && second.Length == copy.Length, "written anew it says something else");
    return HashCode.Combine(status, whole.Form, whole.Framing, whole.KeepAlive, whole.HasUpgrade, whole.Fields.Count, BitOperations.Log2((uint)whole.Length));
}

static int Response(byte[] bytes, Random random)
{
    var (whole, split) = (new ResponseHead(), new ResponseHead());
    whole.Clear();
    split.Clear();
    var limits = new HeadLimits(2048, 512, 20);
    var asked = random.Next(3) switch { 0 => KnownMethod.Head, 1 => KnownMethod.Connect, _ => KnownMethod.Get };
    var status = ResponseParser.Parse(bytes, limits, asked, whole, out var fault);
    var cut = random.Next(bytes.Length + 1);
    var first = ResponseParser.Parse(bytes.AsSpan(0, cut), limits, asked, split, out var early);
    if (first == ParseStatus.NeedMore) first = ResponseParser.Parse(bytes, limits, asked, split, out early);
    Must(first == status && (early == fault || fault == HeadFault.HeadTooLarge || early == HeadFault.HeadTooLarge), $"split at {cut}: {first} {early}, whole: {status} {fault}");
    Must(status != ParseStatus.Done || (whole.Length <= bytes.Length && whole.Status is >= 100 and <= 599), "out of bounds");
    return HashCode.Combine(status, fault, whole.Framing, whole.Status / 100, whole.Fields.Count);
}

static int Chunked(byte[] bytes, Random random)
{
    var (step, body, used) = Decode(bytes, bytes.Length);
    var (again, sameBody, sameUsed) = Decode(bytes, random.Next(1, 40));
    Must(step == again && (step == ChunkStep.Bad || (body == sameBody && used == sameUsed)), $"split: {again} {sameUsed}, whole: {step} {used}");
    return HashCode.Combine(step, BitOperations.Log2((uint)body.Length + 1), BitOperations.Log2((uint)used + 1));
}

static (ChunkStep Step, string Body, int Used) Decode(byte[] bytes, int size)
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

static int Target(byte[] bytes, Random random)
{
    var room = new byte[bytes.Length + 1];
    var verdict = TargetPath.Normalize(bytes, room, out var length);
    if (verdict == PathVerdict.Unsafe) return 0;
    Must(!("/" + Encoding.Latin1.GetString(room, 0, length) + "/").Contains("/../", StringComparison.Ordinal), "'..' is left");
    if (verdict == PathVerdict.Plain) return HashCode.Combine(verdict, BitOperations.Log2((uint)length));
    var resolved = new byte[bytes.Length + 1];
    var count = TargetPath.Resolve(bytes, resolved);
    var again = new byte[count + 1];
    Must(TargetPath.Normalize(resolved.AsSpan(0, count), again, out var matched) == PathVerdict.Plain, "what is forwarded is not plain");
    Must(again.AsSpan(0, matched).SequenceEqual(room.AsSpan(0, length)), "what is forwarded is not what was matched");
    return HashCode.Combine(verdict, BitOperations.Log2((uint)length), BitOperations.Log2((uint)count));
}

static int Host(byte[] bytes, Random random)
{
    if (!HostName.TrySplit(bytes, out var length, out var port)) return 0;
    Must(length > 0 && length <= bytes.Length && port is >= 0 and <= 65535, "out of bounds");
    return HashCode.Combine(length, port > 0, bytes[0] == '[');
}

static int List(byte[] bytes, Random random)
{
    var count = 0;
    foreach (var element in new ListElements(bytes))
    {
        Must(!element.IsEmpty, "an empty element");
        count++;
    }

    return count;
}

static int Date(byte[] bytes, Random random)
{
    if (!HttpDate.TryRead(bytes, out var utc)) return 0;
    var text = new byte[HttpDate.Length];
    HttpDate.Write(utc, text);
    Must(HttpDate.TryRead(text, out var again) && again == utc, "not the same date again");
    return utc.Year;
}

static string Text(Slice slice, byte[] bytes) => Encoding.Latin1.GetString(slice.Of(bytes));
