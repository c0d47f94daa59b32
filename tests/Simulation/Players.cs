// Clients and origins, and what each of them checks. A body is a pattern made from its request's number, so that a byte
// lost, doubled, changed or sent to somebody else is seen.

using System.Globalization;
using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

/// <summary>What happened in one run.</summary>
internal sealed class Findings
{
    public List<string> Broken { get; } = [];

    public Dictionary<int, int> Consumed { get; } = [];

    /// <summary>When an origin left an idle connection, in microseconds.</summary>
    public List<long> Left { get; } = [];

    /// <summary>Requests whose body an origin has read to its end.</summary>
    public HashSet<int> Arrived { get; } = [];

    /// <summary>Looks whenever a request has come to an origin.</summary>
    public Action? Look { get; set; }

    /// <summary>Requests under way at each origin: come, and not answered whole.</summary>
    public int[] UnderWay { get; } = new int[16];

    /// <summary>Requests that have waited in the upstream's queue.</summary>
    public long Waited { get; set; }

    public int Whole { get; set; }

    /// <summary>Answers that came in a content coding.</summary>
    public int Compressed { get; set; }

    public int Refused { get; set; }

    public int Cut { get; set; }

    public int ClientsDone { get; set; }

    public static byte[] Pattern(int id, int size)
    {
        var bytes = new byte[size];
        for (var i = 0; i < size; i++) bytes[i] = (byte)((id * 31) + (i * 7) + (i >> 8));
        return bytes;
    }
}

/// <summary>How origins behave in a run.</summary>
internal enum Manners
{
    /// <summary>Everything is answered whole.</summary>
    Kind,

    /// <summary>Everything is answered whole, but connections end while they are idle, and bytes come that nobody asked for.</summary>
    Careless,

    /// <summary>Anything may happen, clients that leave too.</summary>
    Any,
}

/// <summary>An origin: what it does with a request is said in the request's path, "/id/how/size".</summary>
internal sealed class Origin(EngineWorld world, Findings findings, Manners manners)
{
    public void Serve()
    {
        for (var i = 0; i < world.OriginSockets.Count; i++)
        {
            var origin = i;
            world.Accept(world.OriginSockets[i], transport => WelcomeAsync(transport, origin).Detach());
        }
    }

    private async LoopTask WelcomeAsync(Transport accepted, int origin)
    {
        if (await world.WelcomeAsync(accepted) is { } transport) await ServeAsync(new Stream(transport), origin);
    }

    private async LoopTask ServeAsync(Stream stream, int origin)
    {
        var head = new RequestHead();
        while (true)
        {
            head.Clear();
            ParseStatus parsed;
            HeadFault fault = HeadFault.None;
            while ((parsed = stream.Buffered.IsEmpty ? ParseStatus.NeedMore : RequestParser.Parse(stream.Buffered, HeadLimits.Default, head, out fault)) == ParseStatus.NeedMore && await stream.FillAsync())
            {
            }

            if (parsed != ParseStatus.Done)
            {
                if (parsed == ParseStatus.Bad) findings.Broken.Add($"the origin was sent a bad head: {fault}");
                stream.Transport.Close();
                return;
            }

            var path = Encoding.ASCII.GetString(head.Path.Of(stream.Buffered)).Split('/');
            var (id, how, size) = (int.Parse(path[1], CultureInfo.InvariantCulture), path[2], int.Parse(path[3], CultureInfo.InvariantCulture));
            if (head.KnownMethod == KnownMethod.Post) findings.Consumed[id] = findings.Consumed.GetValueOrDefault(id) + 1;
            if (head.Fields.IndexOf(stream.Buffered, "x-hop"u8) >= 0) findings.Broken.Add($"request {id}: a field nominated by Connection was passed on");
            var expects = head.ExpectsContinue;
            var (framing, length, isHead) = (head.Framing, head.ContentLength, head.KnownMethod == KnownMethod.Head);
            var coding = Coding(head.Fields, stream);
            stream.Use(head.Length);
            findings.UnderWay[origin]++;
            findings.Look?.Invoke();
            if (how == "early")
            {
                await AnswerAsync(stream, origin, id, "length", size, isHead);
                stream.Transport.Close();
                return;
            }

            // Answered before the body has come, which is read all the same: the connection lives on.
            var answered = how == "earlykeep";
            if (answered && !await AnswerAsync(stream, origin, id, how, size, isHead)) return;

            if (how == "die")
            {
                findings.UnderWay[origin]--;
                stream.Transport.Close(reset: true);
                return;
            }

            if (expects) await stream.SendAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
            var body = await stream.BodyAsync(framing, length);
            if (body is null)
            {
                // Answered instead of told to go on, a body may stay away (RFC 9110 §10.1.1).
                if (!answered) findings.UnderWay[origin]--;
                if (manners != Manners.Any && !(answered && expects)) findings.Broken.Add($"request {id}: its body broke off in calm weather");
                stream.Transport.Close();
                return;
            }

            findings.Arrived.Add(id);
            if (Packed.Read(coding, body) is not { } plain) findings.Broken.Add($"request {id}: its body arrived in a coding that cannot be read");
            else body = plain;

            // An idle connection that ends without a word, sooner or later.
            if (how == "leave")
            {
                await AnswerAsync(stream, origin, id, how, size, isHead);
                await stream.PauseAsync(world.World.Random.Next(50, 300)); // A break destroys what is still on its way: the answer is there by now.
                findings.Left.Add(world.World.Now);
                stream.Transport.Close(reset: world.World.Random.Next(2) == 0);
                return;
            }

            if (!body.AsSpan().SequenceEqual(Findings.Pattern(id, body.Length))) findings.Broken.Add($"request {id}: its body arrived changed");
            if (!answered && (!await AnswerAsync(stream, origin, id, how, size, isHead) || how is "close" or "cut" or "cutchunked" or "lastword"))
            {
                if (how == "close") await stream.EndAsync();
                stream.Transport.Close(reset: how == "cut" && world.World.Random.Next(2) == 0);
                return;
            }
        }
    }

    private static byte[] Coding(FieldIndex fields, Stream stream) => fields.IndexOf(KnownField.ContentEncoding) is var at and >= 0 ? fields.Value(stream.Buffered, at).ToArray() : [];

    private async LoopTask<bool> AnswerAsync(Stream stream, int origin, int id, string how, int size, bool isHead)
    {
        // What has been taken by the last write is answered, whenever that call returns.
        var isAnswered = await RespondAsync(stream, id, how, size, isHead);
        findings.UnderWay[origin]--;
        return isAnswered;
    }

    private async LoopTask<bool> RespondAsync(Stream stream, int id, string how, int size, bool isHead)
    {
        var random = world.World.Random;
        var pattern = Findings.Pattern(id, size);
        if (how == "hints") await stream.SendAsync("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"u8.ToArray());
        if (how == "slow") await stream.PauseAsync(random.Next(0, 500));
        var framing = how switch
        {
            "chunked" or "cutchunked" => "Transfer-Encoding: chunked\r\n",
            "close" => "Connection: close\r\n",
            "lastword" => $"Connection: close\r\nContent-Length: {size}\r\n",
            _ => $"Content-Length: {size}\r\n",
        };
        if (world.Responses is not null) framing += "Content-Type: text/plain\r\n";
        if (!await stream.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nX-Id: {id}\r\n{framing}\r\n"))) return false;
        if (isHead) return how != "close";
        if (how == "cutchunked") return await stream.SendAsync(Encoding.ASCII.GetBytes("5\r\n01234\r\n"));
        if (how == "extra") return await stream.SendAsync([.. pattern, .. "HTTP/1.1 200 OK\r\nX-Id: nobody\r\nContent-Length: 0\r\n\r\n"u8]);
        if (how == "cut") return size < 2 || await stream.SendAsync(pattern[..random.Next(0, size - 1)]);
        for (var sent = 0; sent < size;)
        {
            var piece = Math.Min(size - sent, random.Next(1, 3000));
            if (how == "chunked" && !await stream.SendAsync(Encoding.ASCII.GetBytes($"{piece:x}{(random.Next(4) == 0 ? ";x=y" : "")}\r\n"))) return false;
            if (!await stream.SendAsync(pattern[sent..(sent + piece)])) return false;
            if (how == "chunked" && !await stream.SendAsync("\r\n"u8.ToArray())) return false;
            sent += piece;
            if (how == "slow" && sent < size) await stream.PauseAsync(random.Next(0, 20));
        }

        return how != "chunked" || await stream.SendAsync("0\r\nX-Trailer: t\r\n\r\n"u8.ToArray());
    }
}

/// <summary>A client: some requests on one connection, and a look at every answer.</summary>
internal sealed class Client(EngineWorld world, Findings findings, int firstId, int requests, Manners manners)
{
    private static readonly string[] Kind = ["length", "chunked", "close", "hints", "slow", "lastword", "earlykeep"];
    private static readonly string[] Careless = ["length", "chunked", "extra", "leave"];
    private static readonly string[] Codings = ["gzip", "br", "zstd", "identity"];
    private static readonly string[] Any = [.. Kind, "leave", "early", "cut", "cutchunked", "die"];

    private readonly bool calm = manners != Manners.Any;

    public async LoopTask RunAsync()
    {
        var random = world.World.Random;
        if (await world.ConnectAsync() is not { } opened)
        {
            if (calm && world.FailedHandshakes > 0) findings.Broken.Add("no handshake in calm weather");
            findings.ClientsDone++;
            return;
        }

        var stream = new Stream(opened);
        var plans = Enumerable.Range(firstId, requests).Select(id => Plan(random, id)).ToArray();
        var pipelined = random.Next(4) == 0;
        if (pipelined) SendAllAsync(stream, plans).Detach();
        var leaveAt = !calm && random.Next(6) == 0 ? random.Next(requests) : -1;
        var answered = 0;
        for (var i = 0; i < plans.Length; i++, answered++)
        {
            // Gaps in which idle connections to origins grow old.
            if (!pipelined && random.Next(3) == 0) await stream.PauseAsync(random.Next(0, 400));
            if (i == leaveAt && !pipelined && random.Next(2) == 0)
            {
                await stream.SendAsync(plans[i].Bytes[..random.Next(1, plans[i].Bytes.Length)]);
                await stream.PauseAsync(random.Next(0, 50));
                break;
            }

            if (!pipelined && !await SendAsync(stream, plans[i])) break;
            if (i == leaveAt)
            {
                await stream.PauseAsync(random.Next(0, 50));
                break;
            }

            if (!await ReceiveAsync(stream, plans[i])) break;

            // Answered early: who leaves before the rest has arrived takes it back.
            for (var patience = 0; calm && plans[i].How == "earlykeep" && plans[i].HasBody && !plans[i].Expects && !findings.Arrived.Contains(plans[i].Id) && patience < 10_000; patience++) await stream.PauseAsync(20);
        }

        // Some stay a while when they have all they asked for: their connections are idle then.
        findings.ClientsDone++;
        if (answered == plans.Length && random.Next(3) == 0) await stream.PauseAsync(EngineWorld.IdleLookAfter * 2);
        stream.Transport.Close(reset: random.Next(4) == 0);
    }

    private Planned Plan(Random random, int id)
    {
        var hows = manners switch { Manners.Kind => Kind, Manners.Careless => Careless, _ => Any };
        var how = hows[random.Next(hows.Length)];
        var size = random.Next(30) switch { < 10 => random.Next(0, 20), < 20 => random.Next(0, 3000), < 29 => random.Next(0, 60_000), _ => random.Next(0, world.World.Weather.MostDelivered < 100 ? 60_000 : 400_000) };
        // Who answers before it has read, and who reads no answer before it has sent all, can wait for each other for ever where the window is small.
        if (how == "earlykeep" && (size > 20_000 || world.World.Weather.Window < 65_536)) how = "length";
        var method = random.Next(5) switch { 0 => "POST", 1 => "PUT", 2 => "HEAD", _ => "GET" };
        var body = method is "POST" or "PUT" ? Findings.Pattern(id, random.Next(2) == 0 ? random.Next(0, 30) : random.Next(0, 30_000)) : [];
        var head = new StringBuilder($"{method} /{id}/{how}/{size} HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Hop\r\nx-hop: 1\r\n");
        if (world.Responses is not null) head.Append(CultureInfo.InvariantCulture, $"Accept-Encoding: {Codings[id % Codings.Length]}\r\n");
        if (world.Requests is { Decompress.Length: 0 }) head.Append("Content-Type: text/plain\r\n");
        if (world.Requests is { Decompress.Length: > 0 } && body.Length > 0)
        {
            body = Packed.Gzip(body);
            head.Append("Content-Encoding: gzip\r\n");
        }

        var wire = new MemoryStream();
        var expects = false;
        if (method is "POST" or "PUT")
        {
            if (random.Next(2) == 0)
            {
                head.Append(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n");
                wire.Write(body);
            }
            else
            {
                head.Append("Transfer-Encoding: chunked\r\n");
                for (var sent = 0; sent < body.Length;)
                {
                    var piece = Math.Min(body.Length - sent, random.Next(1, 5000));
                    wire.Write(Encoding.ASCII.GetBytes($"{piece:X}\r\n"));
                    wire.Write(body, sent, piece);
                    wire.Write("\r\n"u8);
                    sent += piece;
                }

                wire.Write("0\r\n\r\n"u8);
            }

            expects = random.Next(4) == 0 && wire.Length > 0;
            if (expects) head.Append("Expect: 100-continue\r\n");
        }

        head.Append("\r\n");
        return new Planned(id, method, how, size, wire.Length > 0, expects, [.. Encoding.ASCII.GetBytes(head.ToString()), .. wire.ToArray()]);
    }

    private async LoopTask SendAllAsync(Stream stream, Planned[] plans)
    {
        foreach (var plan in plans)
        {
            plan.SentAt = world.World.Now;
            if (!await stream.SendAsync(plan.Bytes)) return;
        }
    }

    private async LoopTask<bool> SendAsync(Stream stream, Planned plan)
    {
        plan.SentAt = world.World.Now;
        if (world.World.Random.Next(3) != 0) return await stream.SendAsync(plan.Bytes);
        for (var sent = 0; sent < plan.Bytes.Length;)
        {
            var piece = Math.Min(plan.Bytes.Length - sent, world.World.Random.Next(1, 2000));
            if (!await stream.SendAsync(plan.Bytes[sent..(sent + piece)])) return true; // An answer may be there all the same.
            sent += piece;
            await stream.PauseAsync(world.World.Random.Next(0, 5));
        }

        return true;
    }

    private async LoopTask<bool> ReceiveAsync(Stream stream, Planned plan)
    {
        var head = new ResponseHead();
        while (true)
        {
            head.Clear();
            var asked = plan.Method == "HEAD" ? KnownMethod.Head : KnownMethod.Get;
            ParseStatus parsed;
            HeadFault fault = HeadFault.None;
            while ((parsed = stream.Buffered.IsEmpty ? ParseStatus.NeedMore : ResponseParser.Parse(stream.Buffered, HeadLimits.Default, asked, head, out fault)) == ParseStatus.NeedMore && await stream.FillAsync())
            {
            }

            if (parsed == ParseStatus.Bad) findings.Broken.Add($"request {plan.Id}: the client was sent a bad head: {fault}");
            if (parsed != ParseStatus.Done)
            {
                findings.Cut++;
                if (calm) findings.Broken.Add($"request {plan.Id} ({plan.Method} {plan.How}): no answer in calm weather");
                return false;
            }

            var (status, framing, length, keepAlive) = (head.Status, head.Framing, head.ContentLength, head.KeepAlive);
            var index = head.Fields.IndexOf(stream.Buffered, "X-Id"u8);
            var from = index < 0 ? "" : Encoding.ASCII.GetString(head.Fields.Value(stream.Buffered, index));
            var coding = head.Fields.IndexOf(KnownField.ContentEncoding) is var at and >= 0 ? head.Fields.Value(stream.Buffered, at).ToArray() : [];
            if (plan.Method == "HEAD") coding = [];
            if (status == 200 && coding.Length > 0) findings.Compressed++;
            stream.Use(head.Length);
            if (status < 200) continue;
            var body = await stream.BodyAsync(framing, length);
            if (body is null)
            {
                findings.Cut++;
                if (calm) findings.Broken.Add($"request {plan.Id} ({plan.Method} {plan.How}): cut in calm weather");
                return false;
            }

            if (Packed.Read(coding, body) is { } plain) body = plain;
            else findings.Broken.Add($"request {plan.Id} ({plan.How}): the answer looks whole and cannot be read");
            if (status == 200) CheckBody(plan, from, body);
            else if (calm && !(status == 502 && MayHaveLostItsConnection(plan))) findings.Broken.Add($"request {plan.Id} ({plan.Method} {plan.How}): {status} in calm weather");
            else findings.Refused++;
            return keepAlive && framing != BodyFraming.UntilClose;
        }
    }

    // A request that may not be sent twice gets 502 where its connection ended under it; one known to have ended before is not used.
    private bool MayHaveLostItsConnection(Planned plan) =>
        manners == Manners.Careless && (plan.HasBody || plan.Method == "POST") && findings.Left.Any(at => at >= plan.SentAt - (4_000 * world.World.Weather.MostDelay));

    private void CheckBody(Planned plan, string from, byte[] body)
    {
        findings.Whole++;
        var expected = plan.Method == "HEAD" ? 0 : plan.Size;
        if (from != plan.Id.ToString(CultureInfo.InvariantCulture)) findings.Broken.Add($"request {plan.Id}: got the answer to request {from}");
        else if (body.Length != expected) findings.Broken.Add($"request {plan.Id} ({plan.How}): {body.Length} bytes that look whole, of {expected}");
        else if (!body.AsSpan().SequenceEqual(Findings.Pattern(plan.Id, body.Length))) findings.Broken.Add($"request {plan.Id}: the body came changed");
    }

    private sealed record Planned(int Id, string Method, string How, int Size, bool HasBody, bool Expects, byte[] Bytes)
    {
        public long SentAt { get; set; }
    }
}
