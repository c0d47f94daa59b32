// Who asks a cache, and who answers it: origins that do their worst, each answer one of a version of its own; clients that look
// whether what they are given is exactly one version, whole, and none that was purged before they asked.

using System.Globalization;
using System.Text;
using Weir.Engine.Caching;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

/// <summary>One origin behind all of the world's sockets, whose answers the test decides.</summary>
internal sealed class CacheOrigin(EngineWorld world, Func<CacheOrigin.Request, CacheOrigin.Reply> answer)
{
    private readonly Dictionary<int, byte[]> bodies = [];
    private int versions;

    public sealed record Request(string Path, string Method, string Condition, string Language, string Head = "");

    /// <summary>What is sent, and how: whole, or cut.</summary>
    public sealed record Reply(int Status = 200, string Fields = "Cache-Control: max-age=60", int Size = 1000, bool IsChunked = false, long After = 0, string Cut = "", string Tag = "", byte[]? Content = null)
    {
        /// <summary>The version that is sent, of which there may be one already; 0: a new one. What of it a Range asks for is sent alone.</summary>
        public int Of { get; init; }
    }

    /// <summary>Versions so far.</summary>
    public int Versions => versions;

    public List<Request> Asked { get; } = [];

    public void Serve()
    {
        foreach (var socket in world.OriginSockets) world.Accept(socket, transport => ServeAsync(new Stream(transport)).Detach());
    }

    /// <summary>The body of a version.</summary>
    public byte[] Body(int version) => bodies[version];

    private async LoopTask ServeAsync(Stream stream)
    {
        var head = new RequestHead();
        while (await stream.HeadAsync(head))
        {
            var request = new Request(Encoding.ASCII.GetString(head.Path.Of(stream.Buffered)), head.KnownMethod.ToString().ToUpperInvariant(), Value(stream, head, "If-None-Match"), Value(stream, head, "Accept-Language"), Encoding.ASCII.GetString(stream.Buffered[..head.Length]));
            var range = Value(stream, head, "Range");
            stream.Use(head.Length);
            Asked.Add(request);
            var reply = answer(request);
            var version = reply.Of > 0 ? reply.Of : ++versions; // As of when it was asked for.
            if (reply.After > 0) await stream.PauseAsync(reply.After);
            if (!await SendAsync(stream, reply, version, request.Method == "HEAD", reply.Of > 0 ? range : "")) break;
        }

        stream.Transport.Close(reset: world.World.Random.Next(2) == 0);
    }

    private async LoopTask<bool> SendAsync(Stream stream, Reply reply, int version, bool isHead, string range)
    {
        if (reply.Cut == "before") return false;
        var body = bodies[version] = reply.Content ?? Findings.Pattern(version, reply.Size);
        if (range.StartsWith("bytes=", StringComparison.Ordinal) && reply.Status == 200)
        {
            var first = int.Parse(range[6..].Split('-')[0], CultureInfo.InvariantCulture);
            var last = Math.Min(int.Parse(range.Split('-')[1], CultureInfo.InvariantCulture), body.Length - 1);
            reply = first < body.Length
                ? reply with { Status = 206, IsChunked = false, Fields = $"{reply.Fields}\r\nContent-Range: bytes {first}-{last}/{body.Length}" }
                : reply with { Status = 416, IsChunked = false, Fields = $"{reply.Fields}\r\nContent-Range: bytes */{body.Length}" };
            body = first < body.Length ? body[first..(last + 1)] : [];
        }

        // Neither a 304 nor a 200 to HEAD has content: what they say of themselves becomes what is kept.
        var hasBody = reply.Status is not (304 or 204);
        var framing = !hasBody ? "" : reply.IsChunked ? "Transfer-Encoding: chunked\r\n" : $"Content-Length: {body.Length}\r\n";
        var head = Encoding.ASCII.GetBytes($"HTTP/1.1 {reply.Status} X\r\n{(hasBody && !isHead ? $"X-Version: {version}\r\n" : "")}{(reply.Tag.Length > 0 ? $"ETag: \"{reply.Tag}\"\r\n" : "")}{framing}{reply.Fields}\r\n\r\n");
        if (reply.Cut == "head")
        {
            await stream.SendAsync(head[..(head.Length / 2)]);
            return false;
        }

        if (!await stream.SendAsync(head) || !hasBody || isHead) return hasBody || reply.Status is 304 or 204;
        var most = reply.Cut == "body" ? world.World.Random.Next(body.Length) : body.Length;
        foreach (var piece in body[..most].Chunk(4_000))
        {
            if (!await stream.SendAsync(reply.IsChunked ? [.. Encoding.ASCII.GetBytes($"{piece.Length:x}\r\n"), .. piece, .. "\r\n"u8] : piece)) return false;
            if (reply.Cut == "drips") await stream.PauseAsync(world.World.Random.Next(1, 300));
        }

        if (reply.Cut == "body") return false;
        if (reply.Cut == "hangs") await stream.PauseAsync(200_000);
        return !reply.IsChunked || await stream.SendAsync("0\r\n\r\n"u8.ToArray());
    }

    private static string Value(Stream stream, RequestHead head, string name)
    {
        var at = head.Fields.IndexOf(stream.Buffered, Encoding.ASCII.GetBytes(name));
        return at < 0 ? "" : Encoding.ASCII.GetString(head.Fields.Value(stream.Buffered, at));
    }
}

/// <summary>One connection of a client.</summary>
internal sealed class CacheClient(EngineWorld world, CacheOrigin origin, List<string> broken)
{
    private Stream stream = null!;

    /// <summary>An answer; status 0: none came whole.</summary>
    public sealed record Answer(int Status, int Version, byte[] Body, string Cache, long Took, string Head = "");

    public List<Answer> Got { get; } = [];

    /// <summary>Whether bodies are looked at: those that are coded are others than their origin's.</summary>
    public bool Judges { get; init; } = true;

    public async LoopTask OpenAsync()
    {
        var opened = world.ClientNetwork.Connect(EngineWorld.Front, out _)!;
        await new Waiter(world.ClientLoop).FirstOf(opened.Writable, long.MaxValue);
        stream = new Stream(opened);
    }

    public void Close(bool reset = false) => stream.Transport.Close(reset);

    public LoopTask PauseAsync(long milliseconds) => stream.PauseAsync(milliseconds);

    public LoopTask<bool> SendAsync(string path, string method = "GET", string fields = "") =>
        stream.SendAsync(Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));

    /// <summary>Asks, and reads what comes.</summary>
    /// <param name="path">The path.</param>
    /// <param name="method">GET or HEAD.</param>
    /// <param name="fields">Whole lines.</param>
    /// <param name="slowly">How long (ms) it pauses before it reads the body.</param>
    public async LoopTask<Answer> AskAsync(string path, string method = "GET", string fields = "", long slowly = 0)
    {
        var since = world.World.Now;
        await SendAsync(path, method, fields);
        var answer = await ReceiveAsync(path, method, slowly) with { Took = (world.World.Now - since) / 1000 };
        Got.Add(answer);
        return answer;
    }

    private async LoopTask<Answer> ReceiveAsync(string path, string method, long slowly)
    {
        var head = new ResponseHead();
        var none = new Answer(0, 0, [], "", 0);
        while (true)
        {
            head.Clear();
            var parsed = stream.Buffered.IsEmpty ? ParseStatus.NeedMore : ResponseParser.Parse(stream.Buffered, HeadLimits.Default, method == "HEAD" ? KnownMethod.Head : KnownMethod.Get, head, out _);
            if (parsed == ParseStatus.Done) break;
            if (parsed == ParseStatus.Bad) broken.Add($"{path}: a bad head");
            if (parsed == ParseStatus.Bad || !await stream.FillAsync()) return none;
        }

        var (status, framing, length) = (head.Status, head.Framing, head.ContentLength);
        var (version, cache, range) = (Value(head, "X-Version"), Value(head, "Cache-Status"), Value(head, "Content-Range"));
        var text = Encoding.ASCII.GetString(stream.Buffered[..head.Length]);
        stream.Use(head.Length);
        if (slowly > 0) await stream.PauseAsync(slowly);
        if (await stream.BodyAsync(framing, length) is not { } body) return none;
        var of = version.Length == 0 ? 0 : int.Parse(version, CultureInfo.InvariantCulture);
        if (!Judges) return new Answer(status, of, body, cache, 0, text);
        if (status == 200 && of == 0 && method == "GET") broken.Add($"{path}: a 200 that is nobody's");
        if (status == 200 && of != 0 && method == "GET" && !body.AsSpan().SequenceEqual(origin.Body(of))) broken.Add($"{path}: {body.Length} bytes look whole, of {origin.Body(of).Length} of version {of} ({framing} {length}, {cache})");
        if (status == 206 && !body.AsSpan().SequenceEqual(Part(origin.Body(of), range))) broken.Add($"{path}: {range} of version {of} is another");
        return new Answer(status, of, body, cache, 0, text);
    }

    private static ReadOnlySpan<byte> Part(byte[] body, string range)
    {
        var parts = range.Split(' ', '-', '/');
        return parts.Length < 4 ? default : body.AsSpan()[int.Parse(parts[1], CultureInfo.InvariantCulture)..(int.Parse(parts[2], CultureInfo.InvariantCulture) + 1)];
    }

    private string Value(ResponseHead head, string name)
    {
        var at = head.Fields.IndexOf(stream.Buffered, Encoding.ASCII.GetBytes(name));
        return at < 0 ? "" : Encoding.ASCII.GetString(head.Fields.Value(stream.Buffered, at));
    }
}

/// <summary>What must hold of a cache when everything has come to rest.</summary>
internal static class CacheAtRest
{
    public static IEnumerable<string> Trouble(EngineWorld world)
    {
        var cache = world.Cached!.Cache;
        if (cache.Memory.Bytes != cache.Retention.Weight) yield return $"{cache.Memory.Bytes} bytes of native memory, {cache.Retention.Weight} of what is kept";
        if (cache.Retention.Weight > cache.MemoryLimit) yield return $"{cache.Retention.Weight} bytes are kept, beyond the limit";
        if (cache.FillsUnderWay != 0) yield return $"{cache.FillsUnderWay} fills never ended";
        for (var shard = 0; shard < Cache.Shards; shard++)
        {
            foreach (var place in cache.Places(shard)) cache.Invalidate(place.Hash, place.Url);
        }

        if (cache.Memory.Bytes != 0 || cache.Count != 0) yield return $"cleared, it holds {cache.Memory.Bytes} bytes and {cache.Count} responses";
    }

    /// <summary>Forgets what is kept of a path.</summary>
    public static void Purge(EngineWorld world, string path)
    {
        var url = Encoding.ASCII.GetBytes("http://h" + path);
        world.Cached!.Cache.Invalidate(KeyRecipe.HashOf(url), url);
    }
}
