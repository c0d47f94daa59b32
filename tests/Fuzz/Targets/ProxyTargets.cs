// Bytes of a client, and bytes of an origin, through the whole engine: what comes out on the other side is judged by a
// reader that accepts nothing that could be read in two ways.

using System.Globalization;
using System.Text;
using Weir.Tests.Support;
using Weir.Wire.Http1;

namespace Weir.Tests.Fuzz;

/// <summary>A target that plays in a world, and begins a new one where something broke.</summary>
internal abstract class WorldTarget(string configuration) : Target
{
    private ProxyWorld? world;

    public sealed override void Check(byte[] input)
    {
        var now = world ?? new ProxyWorld(configuration);
        world = null;
        Play(now, input, new Draw(input));
        world = now;
    }

    protected abstract void Play(ProxyWorld world, byte[] input, Draw draw);
}

internal static class ProxyTargets
{
    public static readonly string[] Rooms = ["Weir.Engine.Http1.", "Weir.Engine.Forwarding.", "Weir.Engine.Pipeline", "Weir.Engine.Exchanges."];

    public static Target[] All => [new ForwardTarget(), new RelayTarget()];

    /// <summary>Sends in pieces that the draw chooses, with moments between them.</summary>
    public static void Send(ProxyWorld world, Peer client, Peer sender, ReadOnlySpan<byte> bytes, ref Draw draw, Action? between = null)
    {
        var pieces = 1 + draw.Below(4);
        while (!bytes.IsEmpty)
        {
            var size = --pieces <= 0 ? bytes.Length : 1 + draw.Below(bytes.Length);
            sender.Send(bytes[..size]);
            bytes = bytes[size..];
            world.Step(client);
            between?.Invoke();
        }
    }
}

/// <summary>A client's bytes: what reaches the origin is strict, and no more requests than there were; so is what comes back.</summary>
internal sealed class ForwardTarget() : WorldTarget(Configuration)
{
    private const string Configuration = """
        listen: "127.0.0.1:8080"
        timeouts: { header: 2s, body: 2s, idle: 2s, first_byte: 2s, keep_alive: 2s }
        sites:
          - routes:
              - { match: "/old/**", redirect: "https://{host}/new{path}" }
              - { match: "/own", respond: { status: 200, body: "own {uri}", headers: { content-type: "{header:accept}", x-u: "{uri}" } } }
              - { match: "/s/**", rewrite: { strip_prefix: /s }, proxy: "http://10.0.0.1:9000", request_headers: { set: { x-p: "{path}", user-agent: "{header:x-a}" }, add: { x-a: "{query}", cookie: a=b }, remove: [accept, expect] }, response_headers: { set: { server: "{host}", date: "{header:x-a}" }, add: { set-cookie: "{uri}" }, remove: [x-b, etag] }, request_id: true, forwarded: both }
              - { match: { methods: CONNECT }, proxy: "http://10.0.0.1:9000", connect: true }
            proxy: "http://10.0.0.1:9000"
          - { hosts: [small], limits: { body: 4 }, proxy: "http://10.0.0.1:9000" }
        """;

    private readonly RequestHead head = new();
    private int served;

    public override string Name => "forward";

    public override string[] Covers => ProxyTargets.Rooms;

    public override IEnumerable<string> Examples => Heads.Requests.Concat(
    [
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT /s/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nHEAD /own HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /old/x?y HTTP/1.1\r\nHost: h\r\nConnection: close, x-a\r\nX-A: b\r\n\r\n",
        "POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\ntunnel\r\n\r\n",
        "POST /l HTTP/1.1\r\nHost: small\r\nContent-Length: 9\r\n\r\n123456789",
        "GET http://h/a?b HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    ]);

    public override string[] Words => [.. Heads.Words, "Host: small\r\n", "/s/", "/old/", "/own", "GET /b HTTP/1.1\r\nHost: h\r\n\r\n", "POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"];

    protected override void Play(ProxyWorld world, byte[] input, Draw draw)
    {
        var client = world.Begin(ref draw);
        var choices = draw;
        var requests = 0;
        served = 0;
        Action play = () => Serve(world, ref choices, ref requests);
        world.Step(client);
        ProxyTargets.Send(world, client, client, input, ref draw, play);
        for (var quiet = 0; quiet < 3; quiet++)
        {
            if (world.Step(client)) quiet = -1;
            play();
        }

        // Whatever still waits for something is tired of it in time.
        for (var waited = 0; waited < 8 && !client.Ended && !client.Broke; waited++)
        {
            world.Step(client, 1_000);
            play();
        }

        Judge(client, Methods(input), requests);
        world.End(client);
    }

    // Answers every whole request; a request that waits for a go-ahead gets it, an upgrade sometimes.
    private void Serve(ProxyWorld world, ref Draw draw, ref int requests)
    {
        foreach (var origin in world.Origins)
        {
            while (!origin.IsTunnel && origin.Read < origin.Came.Length)
            {
                var reader = new StrictHttp(origin.Came.ToString(origin.Read, origin.Came.Length - origin.Read));
                if (Strict(reader, origin) is not { } request) break;
                var method = request.StartLine.Split(' ')[0];
                if (!request.IsWhole)
                {
                    if (request.Field("expect") is not null && draw.Below(2) == 0) origin.Send("HTTP/1.1 100 Continue\r\n\r\n");
                    break;
                }

                requests++;
                origin.Read = origin.Came.Length - reader.Rest.Length;
                var marks = $"X-Id: {++served}\r\nX-Method: {method}\r\n";
                if (method == "CONNECT" || (request.Field("upgrade") is not null && draw.Below(2) == 0))
                {
                    origin.IsTunnel = true;
                    origin.Send(method == "CONNECT" ? $"HTTP/1.1 200 OK\r\n{marks}\r\n" : $"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: {request.Field("upgrade")}\r\n{marks}\r\n");
                    continue;
                }

                var body = method == "HEAD" ? "" : "ok";
                origin.Send(draw.Below(4) switch
                {
                    0 => $"HTTP/1.1 200 OK\r\n{marks}Transfer-Encoding: chunked\r\n\r\n{(method == "HEAD" ? "" : "2\r\nok\r\n0\r\n\r\n")}",
                    1 => $"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n{marks}Content-Length: 2\r\n\r\n{body}",
                    2 => $"HTTP/1.1 204 No Content\r\n{marks}\r\n",
                    _ => $"HTTP/1.1 200 OK\r\n{marks}Content-Length: 2\r\n\r\n{body}",
                });
            }
        }
    }

    private static StrictMessage? Strict(StrictHttp reader, Peer origin)
    {
        try
        {
            return reader.Request();
        }
        catch (NotStrictException flaw)
        {
            throw new BrokenException($"the origin was sent: {flaw.Message} in '{origin.Came}'");
        }
    }

    private static void Judge(Peer client, List<string> methods, int requests)
    {
        Must(requests <= methods.Count, $"more requests: the origin saw {requests}, the client sent {methods.Count}");
        var reader = new StrictHttp(client.Came.ToString());
        var last = 0;
        for (var i = 0; !reader.IsAtEnd; i++)
        {
            Must(i <= methods.Count, $"more responses: than {methods.Count} requests, '{client.Came}'");
            var rest = reader.Rest;
            // Of a request that was refused the method is not known.
            var response = Response(reader, i < methods.Count ? methods[i] : "GET", client);
            if (response is { IsWhole: false } or null && i == methods.Count) response = Response(reader = new StrictHttp(rest), "HEAD", client);
            Must(response is not null || client.Broke, $"half a head: '{rest}'");
            if (response is null) return;
            Must(response.IsWhole || client.Broke || !client.Ended, $"half a response: that ends in order, '{rest}'");
            if (response.Field("x-id") is { } id)
            {
                var number = int.Parse(id, CultureInfo.InvariantCulture);
                Must(number > last, $"out of order: {number} behind {last}");
                last = number;
                Must(i < methods.Count && response.Field("x-method") == methods[i], $"somebody else's: the answer to {response.Field("x-method")}");
            }

            if (response.Status == 101 || (response.Status < 300 && i < methods.Count && methods[i] == "CONNECT")) return;
        }
    }

    private static StrictMessage? Response(StrictHttp reader, string method, Peer client)
    {
        try
        {
            return reader.Response(method, client.Ended, out _);
        }
        catch (NotStrictException flaw)
        {
            throw new BrokenException($"the client was sent: {flaw.Message} in '{client.Came}'");
        }
    }

    // The methods of the requests that are in the input, as far as their heads are whole and good.
    private List<string> Methods(byte[] input)
    {
        var methods = new List<string>();
        for (var at = 0; at < input.Length;)
        {
            head.Clear();
            if (RequestParser.Parse(input.AsSpan(at), HeadLimits.Default, head, out _) != ParseStatus.Done) break;
            methods.Add(Trial.Text(head.Method.Of(input.AsSpan(at))));
            at += head.Length;
            if (head.Framing == BodyFraming.Length) at += (int)Math.Min(head.ContentLength, input.Length - at);
            else if (head.Framing == BodyFraming.Chunked && !Skip(input, ref at)) break;
        }

        return methods;
    }

    private static bool Skip(byte[] input, ref int at)
    {
        var decoder = new ChunkedDecoder();
        decoder.Reset();
        while (true)
        {
            var step = decoder.Next(input.AsSpan(at), out var framing, out var piece);
            at += framing;
            if (step == ChunkStep.End) return true;
            if (step != ChunkStep.Piece) return false;
            decoder.Advance(piece);
            at += piece;
        }
    }
}

/// <summary>An origin's bytes: what reaches the client is strict, nothing that was cut looks whole, and the next request gets its own answer.</summary>
internal sealed class RelayTarget() : WorldTarget(Configuration)
{
    private const string Configuration = """
        listen: "127.0.0.1:8080"
        timeouts: { first_byte: 2s, idle: 2s }
        sites: [{ proxy: "http://10.0.0.1:9000" }]
        """;

    public override string Name => "relay";

    public override string[] Covers => [.. ProxyTargets.Rooms, "Weir.Wire.Http1.ResponseParser"];

    public override IEnumerable<string> Examples => Heads.Responses.Concat(
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLocation: http://10.0.0.1:9000/x\r\nServer: y\r\n\r\nhello",
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\n\x1f\r\n0\r\n\r\n",
    ]);

    public override string[] Words => Heads.Words;

    protected override void Play(ProxyWorld world, byte[] input, Draw draw)
    {
        var method = draw.Below(4) == 0 ? "HEAD" : "GET";
        var closes = draw.Below(2) == 0;
        var client = world.Begin(ref draw);
        client.Send($"{method} /1 HTTP/1.1\r\nHost: h\r\n\r\n");
        for (var i = 0; i < 8 && world.Origins.Count == 0; i++) world.Step(client);
        world.Step(client);
        Must(world.Origins.Count == 1, "the origin was not asked");
        var origin = world.Origins[0];
        ProxyTargets.Send(world, client, origin, input, ref draw);
        while (world.Step(client))
        {
        }

        if (closes) origin.Transport.Close();
        for (var waited = 0; waited < 6 && !client.Ended && !client.Broke && (waited == 0 || client.Came.Length == 0 || !Read(client, method).IsWhole); waited++) world.Step(client, 1_000);

        var first = Read(client, method);
        if (first.Message is null) Must(client.Broke || client.Ended, $"no answer: '{client.Came}'");
        if (first.Message is not null && Sent(input, method, closes) is { } sent) Compare(sent, first.Message, first.IsWhole, client);
        if (first.IsWhole && first.Message!.Status != 101 && !client.Ended && !client.Broke) Next(world, client, first.Behind);
        world.End(client);
    }

    // A second request on the client's connection: nothing of what the origin said before is its answer.
    private static void Next(ProxyWorld world, Peer client, string leftover)
    {
        Must(leftover.Length == 0, $"something behind the answer: '{leftover}'");
        var before = client.Came.Length;
        var read = world.Origins[0].Came.Length;
        client.Send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
        for (var i = 0; i < 12; i++)
        {
            world.Step(client, 20);
            foreach (var origin in world.Origins)
            {
                if (origin.IsTunnel || !origin.Came.ToString().Contains("GET /2", StringComparison.Ordinal)) continue;
                origin.IsTunnel = true;
                origin.Send("HTTP/1.1 200 OK\r\nX-Second: 2\r\nContent-Length: 6\r\n\r\nsecond");
            }
        }

        var reader = new StrictHttp(client.Came.ToString(before, client.Came.Length - before));
        var message = Parse(reader, "GET", client);
        Must(message is { IsWhole: true } && message.Field("x-second") == "2" && message.Body == "second" && reader.IsAtEnd, $"the second answer: is not its own, '{client.Came.ToString(before, client.Came.Length - before)}' (the origin had read {read} bytes)");
    }

    private static void Compare((StrictMessage Message, bool IsOpenEnded) sent, StrictMessage got, bool isWhole, Peer client)
    {
        if (got.Status is 502 or 504) return;
        Must(got.Status == sent.Message.Status, $"status: {sent.Message.Status} became {got.Status}");
        if (sent.Message.IsWhole && isWhole) Must(got.Body == sent.Message.Body, $"body: '{sent.Message.Body}' became '{got.Body}'");
        if (!sent.Message.IsWhole && !sent.IsOpenEnded) Must(!isWhole, $"cut: but it looks whole, '{client.Came}'");
    }

    // What was sent, where the strict reader takes it.
    private static (StrictMessage Message, bool IsOpenEnded)? Sent(byte[] input, string method, bool closes)
    {
        try
        {
            var message = new StrictHttp(Trial.Text(input)).Response(method, closes, out _);
            return message is null ? null : (message, message.Field("content-length") is null && message.Field("transfer-encoding") is null);
        }
        catch (NotStrictException)
        {
            return null;
        }
    }

    private static (StrictMessage? Message, bool IsWhole, string Behind) Read(Peer client, string method)
    {
        var reader = new StrictHttp(client.Came.ToString());
        var message = Parse(reader, method, client);
        return (message, message is { IsWhole: true }, reader.Rest);
    }

    private static StrictMessage? Parse(StrictHttp reader, string method, Peer client)
    {
        try
        {
            return reader.Response(method, client.Ended, out _);
        }
        catch (NotStrictException flaw)
        {
            throw new BrokenException($"the client was sent: {flaw.Message} in '{client.Came}'");
        }
    }
}
