// The parsers and writers of Wire. Every head and decoder is reused, as the engine reuses it.

using Weir.Wire.Fields;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

namespace Weir.Bench.Micro;

internal static class WireGates
{
    private static readonly byte[] SmallRequest = "GET / HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: weir-bench\r\nAccept: */*\r\n\r\n"u8.ToArray();

    /// <summary>A head as browsers send it.</summary>
    public static readonly byte[] BrowserRequest = System.Text.Encoding.ASCII.GetBytes(
        """
        GET /products/list?page=2&sort=price HTTP/1.1
        Host: www.example.com
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
        Accept-Language: en-GB,en;q=0.5
        Accept-Encoding: gzip, deflate, br, zstd
        Referer: https://www.example.com/products
        Cookie: session=6d5f0c0f3a0b4f1d; theme=dark; consent=yes; last=%2Fproducts%2Flist
        Upgrade-Insecure-Requests: 1
        Sec-Fetch-Dest: document
        Sec-Fetch-Mode: navigate
        Sec-Fetch-Site: same-origin
        Connection: keep-alive


        """.ReplaceLineEndings("\r\n"));

    private static readonly byte[] Response =
        "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nCache-Control: max-age=60\r\n\r\n"u8.ToArray();

    private static readonly byte[] Chunks = "1000\r\n"u8.ToArray().Concat(new byte[4096]).Concat("\r\n0\r\n\r\n"u8.ToArray()).ToArray();

    public static IEnumerable<Gate> All()
    {
        var limits = HeadLimits.Default;
        var request = new RequestHead();
        var response = new ResponseHead();
        var decoder = new ChunkedDecoder();
        var room = new byte[256];
        var now = new DateTime(1994, 11, 6, 8, 49, 37, DateTimeKind.Utc);
        return
        [
            new Gate("request head, 3 fields", 0, () => Parse(SmallRequest, limits, request)),
            new Gate("request head, a browser's", 0, () => Parse(BrowserRequest, limits, request)),
            new Gate("request head, a browser's, in two pieces", 0, () => ParseInTwo(BrowserRequest, limits, request)),
            new Gate("request head, a browser's, byte by byte", 0, () => ParseByteByByte(BrowserRequest, limits, request)),
            new Gate("response head, 5 fields", 0, () =>
            {
                response.Clear();
                return Done(ResponseParser.Parse(Response, limits, KnownMethod.Get, response, out _), response.Fields);
            }),
            new Gate("chunked body, one chunk of 4 KiB", 0, () => Decode(decoder)),
            new Gate("chunk size line", 0, () => ChunkedEncoder.WriteSize(room, 65536)),
            new Gate("path, nothing to resolve", 0, () => Normalize("/products/list/of/things"u8, room)),
            new Gate("path, escapes and dot segments", 0, () => Normalize("/a/%7Eb/../c/./d%20e"u8, room)),
            new Gate("host and port", 0, () => HostName.TrySplit("www.example.com:8443"u8, out var length, out _) ? length : throw new InvalidOperationException()),
            new Gate("date, written", 0, () =>
            {
                HttpDate.Write(now, room);
                return room[0];
            }),
            new Gate("list of four elements", 0, () =>
            {
                var elements = 0;
                foreach (var element in new ListElements("gzip, deflate, br, zstd"u8)) elements += element.IsEmpty ? 0 : 1;
                return elements == 4 ? elements : throw new InvalidOperationException("four elements are not four");
            }),
        ];
    }

    private static int Parse(byte[] bytes, in HeadLimits limits, RequestHead head)
    {
        head.Clear();
        return Done(RequestParser.Parse(bytes, limits, head, out _), head.Fields);
    }

    private static int ParseInTwo(byte[] bytes, in HeadLimits limits, RequestHead head)
    {
        head.Clear();
        if (RequestParser.Parse(bytes.AsSpan(0, bytes.Length / 2), limits, head, out _) != ParseStatus.NeedMore) throw new InvalidOperationException("half a head is none");
        return Done(RequestParser.Parse(bytes, limits, head, out _), head.Fields);
    }

    private static int ParseByteByByte(byte[] bytes, in HeadLimits limits, RequestHead head)
    {
        head.Clear();
        for (var n = 1; n < bytes.Length; n++)
        {
            if (RequestParser.Parse(bytes.AsSpan(0, n), limits, head, out _) != ParseStatus.NeedMore) throw new InvalidOperationException("a part of a head is none");
        }

        return Done(RequestParser.Parse(bytes, limits, head, out _), head.Fields);
    }

    private static int Done(ParseStatus status, FieldIndex fields) => status == ParseStatus.Done ? fields.Count : throw new InvalidOperationException($"a good head is {status}");

    private static int Decode(ChunkedDecoder decoder)
    {
        decoder.Reset();
        var (at, body) = (0, 0);
        while (true)
        {
            var step = decoder.Next(Chunks.AsSpan(at), out var framing, out var piece);
            at += framing;
            if (step == ChunkStep.End) return body;
            if (step != ChunkStep.Piece) throw new InvalidOperationException($"a good body is {step}");
            decoder.Advance(piece);
            at += piece;
            body += piece;
        }
    }

    private static int Normalize(ReadOnlySpan<byte> path, byte[] room) =>
        TargetPath.Normalize(path, room, out var length) != PathVerdict.Unsafe ? length : throw new InvalidOperationException("a good path is unsafe");
}
