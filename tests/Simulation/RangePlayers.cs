// Origins of large answers that give parts of them, well or badly; and clients that look at every byte. Which bytes those are is
// told by the answer's version, so that a byte of another one, or of another place, is seen.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Loops;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

/// <summary>Servers of one large file in versions.</summary>
internal sealed class RangeOrigin(EngineWorld world, Func<RangeOrigin.Request, RangeOrigin.Manner> manner)
{
    /// <summary>What was asked.</summary>
    /// <param name="Server">Which server was.</param>
    /// <param name="Number">The how-manieth request of all.</param>
    /// <param name="First">The first byte; -1: the whole was asked for.</param>
    /// <param name="IsCertain">Whether it is asked for on the condition that it is of a certain version.</param>
    public sealed record Request(int Server, int Number, long First, bool IsCertain);

    /// <summary>How one is answered.</summary>
    public sealed record Manner
    {
        public int Status { get; init; } = 206;

        /// <summary>Bytes of the whole.</summary>
        public int Size { get; init; } = 3_000_000;

        public int Version { get; init; } = 1;

        /// <summary>Bytes a millisecond.</summary>
        public int Rate { get; init; } = 100;

        /// <summary>How long it thinks, in ms.</summary>
        public int After { get; init; } = 20;

        /// <summary>After so many bytes it breaks; -1: never.</summary>
        public long Breaks { get; init; } = -1;

        /// <summary>After so many bytes it falls silent; -1: never.</summary>
        public long Hangs { get; init; } = -1;

        /// <summary>Tells it wrongly: first, last, total, status (200 for a part), length, long (more comes than it said, in chunks), short.</summary>
        public string Lie { get; init; } = "";

        public bool IsChunked { get; init; }

        public string Fields { get; init; } = "Accept-Ranges: bytes\r\n";

        /// <summary>The digests that it tells, of what it should have sent: "r" of the representation, "c" of the content.</summary>
        public string Digests { get; init; } = "";

        /// <summary>The byte of the whole that it sends wrongly; -1: none.</summary>
        public long Corrupts { get; init; } = -1;

        /// <summary>The tag; where it says it anew for each version.</summary>
        public string Tag { get; init; } = "\"v{0}\"";
    }

    private readonly Dictionary<(int, long, long, bool), string> digests = [];
    private readonly int[] underWay = new int[world.OriginSockets.Count];

    public List<Request> Asked { get; } = [];

    /// <summary>The most requests at once.</summary>
    public int Most { get; private set; }

    /// <summary>Requests under way.</summary>
    public int Now => underWay.Sum();

    /// <summary>Bytes sent by each.</summary>
    public long[] Sent { get; } = new long[world.OriginSockets.Count];

    public static byte At(int version, long place) => (byte)((place * 2_654_435_761 >> 11) ^ (place >> 16) ^ (version * 97));

    private string DigestsOf(Manner how, long first, long count)
    {
        var told = how.Digests.Contains('r') ? $"Repr-Digest: {DigestOf(how.Version, 0, how.Size, sha512: how.Size % 2 == 0)}\r\n" : "";
        return how.Digests.Contains('c') ? $"{told}Content-Digest: {DigestOf(how.Version, first, count, sha512: false)}\r\n" : told;
    }

    private string DigestOf(int version, long first, long count, bool sha512)
    {
        if (digests.TryGetValue((version, first, count, sha512), out var known)) return known;
        var bytes = new byte[count];
        for (var i = 0; i < count; i++) bytes[i] = At(version, first + i);
        return digests[(version, first, count, sha512)] = sha512 ? $"sha-512=:{Convert.ToBase64String(SHA512.HashData(bytes))}:" : $"sha-256=:{Convert.ToBase64String(SHA256.HashData(bytes))}:";
    }

    public void Serve()
    {
        foreach (var (i, socket) in world.OriginSockets.Index()) world.Accept(socket, transport => ServeAsync(i, new Stream(transport)).Detach());
    }

    private async LoopTask ServeAsync(int server, Stream stream)
    {
        var head = new RequestHead();
        while (await stream.HeadAsync(head))
        {
            var at = head.Fields.IndexOf(KnownField.Range);
            var range = at < 0 ? "" : Encoding.ASCII.GetString(head.Fields.Value(stream.Buffered, at))["bytes=".Length..];
            var condition = head.Fields.IndexOf(KnownField.IfRange);
            var tag = condition < 0 ? "" : Encoding.ASCII.GetString(head.Fields.Value(stream.Buffered, condition));
            stream.Use(head.Length);
            var ends = range.Split('-');
            var request = new Request(server, Asked.Count, range.Length == 0 ? -1 : long.Parse(ends[0], CultureInfo.InvariantCulture), tag.Length > 0);
            Asked.Add(request);
            underWay[server]++;
            Most = Math.Max(Most, Now);
            var goesOn = await AnswerAsync(server, stream, manner(request), range, tag);
            underWay[server]--;
            if (!goesOn) break;
        }

        stream.Transport.Close(reset: world.World.Random.Next(2) == 0);
    }

    private async LoopTask<bool> AnswerAsync(int server, Stream stream, Manner how, string range, string condition)
    {
        if (how.After > 0) await stream.PauseAsync(how.After);
        var tag = string.Format(CultureInfo.InvariantCulture, how.Tag, how.Version);
        if (how.Status is not (200 or 206)) return await stream.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {how.Status} X\r\nContent-Length: 0\r\n{how.Fields}\r\n"));
        var isPart = range.Length > 0 && how.Status == 206 && how.Lie != "status" && (condition.Length == 0 || condition == tag);
        var ends = range.Split('-');
        var first = isPart ? long.Parse(ends[0], CultureInfo.InvariantCulture) : 0;
        var last = isPart && ends[1].Length > 0 ? Math.Min(long.Parse(ends[1], CultureInfo.InvariantCulture), how.Size - 1) : how.Size - 1;
        var (told, toldLast, total) = (how.Lie == "first" ? first + 1 : first, how.Lie == "last" ? last - 1 : last, how.Lie == "total" ? how.Size + 1 : how.Size);
        var count = last - first + 1;
        var framing = how.IsChunked || how.Lie == "long" ? "Transfer-Encoding: chunked\r\n" : $"Content-Length: {(how.Lie == "length" ? count - 1 : count)}\r\n";
        var parts = isPart ? $"Content-Range: bytes {told}-{toldLast}/{total}\r\n" : "";
        if (!await stream.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {(isPart ? 206 : 200)} X\r\nX-Version: {how.Version}\r\n{(tag.Length > 0 ? $"ETag: {tag}\r\n" : "")}{parts}{framing}{DigestsOf(how, first, count)}{how.Fields}\r\n"))) return false;
        var isChunked = framing.StartsWith('T');
        if (how.Lie == "length") count--;
        if (how.Lie == "long") count += 1_000;
        if (how.Lie == "short") count /= 2;
        const int Tick = 20;
        for (var sent = 0L; sent < count;)
        {
            var piece = new byte[(int)Math.Min(count - sent, Math.Max(1, how.Rate * Tick))];
            if (how.Breaks >= 0 && sent + piece.Length > how.Breaks) piece = piece[..(int)Math.Max(0, how.Breaks - sent)];
            for (var i = 0; i < piece.Length; i++) piece[i] = (byte)(At(how.Version, first + sent + i) ^ (first + sent + i == how.Corrupts ? 1 : 0));
            if (piece.Length > 0 && !await stream.SendAsync(isChunked ? [.. Encoding.ASCII.GetBytes($"{piece.Length:x}\r\n"), .. piece, .. "\r\n"u8] : piece)) return false;
            sent += piece.Length;
            Sent[server] += piece.Length;
            if (how.Breaks >= 0 && sent >= how.Breaks) return false;
            if (how.Hangs >= 0 && sent >= how.Hangs) await stream.PauseAsync(500_000);
            await stream.PauseAsync(Tick);
        }

        if (how.Lie == "short") return false;
        return !isChunked || await stream.SendAsync("0\r\n\r\n"u8.ToArray());
    }
}

/// <summary>A world in which anything happens, with origins that are there already.</summary>
internal static class RangeRun
{
    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };

    public static Weather WeatherOf(int seed) => seed % 3 == 0 ? Still : new Weather { MostDelay = seed % 60, MostDelivered = 60_000, Window = seed % 2 == 0 ? 30_000 : 200_000, Reset = seed % 4 == 1 ? 0.0005 : 0 };

    /// <summary>Three clients ask for all or a part, read fast or slowly, stay or leave; then all must come to rest.</summary>
    /// <returns>How many answers came whole.</returns>
    public static int Run(EngineWorld world, Random random, List<string> broken, bool takesBreaks = false)
    {
        var clients = new List<RangeClient>();
        for (var i = 0; i < 3; i++)
        {
            var client = new RangeClient(world, broken) { TakesBreaks = takesBreaks };
            clients.Add(client);
            var range = random.Next(4) == 0 ? $"Range: bytes={random.Next(0, 500_000)}-{random.Next(500_000, 2_000_000)}\r\n" : "";
            client.AskAsync(range, random.Next(3) == 0 ? random.Next(50, 2_000) : 0, random.Next(6) == 0 ? random.Next(1, 2_000_000) : -1).Detach();
        }

        var isSound = true;
        for (var waited = 0; isSound && waited < 2_000_000 && !clients.TrueForAll(c => c.IsDone); waited += 1_000) isSound = world.World.Run(1_000);
        isSound &= world.World.Run(600_000);
        if (!isSound) broken.Add("livelock: the world never comes to rest");
        if (!clients.TrueForAll(c => c.IsDone)) broken.Add("clients wait for ever");
        broken.AddRange(world.Leftovers());
        return clients.Count(c => c.IsWhole && c.Status is 200 or 206);
    }
}

/// <summary>A client that looks at what it gets while it gets it.</summary>
internal sealed class RangeClient(EngineWorld world, List<string> broken)
{
    private bool isWrong;

    public int Status { get; private set; }

    public int Version { get; private set; }

    public string Head { get; private set; } = "";

    /// <summary>Bytes of the body so far.</summary>
    public long Got { get; private set; }

    /// <summary>Whether the answer came whole.</summary>
    public bool IsWhole { get; private set; }

    public bool IsDone { get; private set; }

    /// <summary>Whether a wrong byte may come, as long as the answer does not come whole then.</summary>
    public bool TakesBreaks { get; init; }

    /// <summary>When the head, and the last byte came, in ms from the start.</summary>
    public (long Head, long Last) Took { get; private set; }

    /// <summary>Asks.</summary>
    /// <param name="fields">Whole lines.</param>
    /// <param name="rate">Bytes a millisecond that it takes; 0: all that comes.</param>
    /// <param name="leavesAt">After so many bytes it leaves; -1: it stays.</param>
    public async LoopTask AskAsync(string fields = "", int rate = 0, long leavesAt = -1)
    {
        var since = world.World.Now / 1000;
        var opened = await world.ConnectAsync();
        if (opened is null)
        {
            IsDone = true;
            return;
        }

        var stream = new Stream(opened);
        await stream.SendAsync(Encoding.ASCII.GetBytes($"GET /file HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
        var head = new ResponseHead();
        var parsed = ParseStatus.NeedMore;
        while (parsed == ParseStatus.NeedMore)
        {
            if (!stream.Buffered.IsEmpty) parsed = ResponseParser.Parse(stream.Buffered, HeadLimits.Default, KnownMethod.Get, head, out _);
            if (parsed == ParseStatus.NeedMore && !await stream.FillAsync()) break;
        }

        if (parsed == ParseStatus.Done)
        {
            var version = head.Fields.IndexOf(stream.Buffered, "X-Version"u8);
            var range = head.Fields.IndexOf(KnownField.ContentRange);
            Version = version < 0 ? 0 : int.Parse(head.Fields.Value(stream.Buffered, version), CultureInfo.InvariantCulture);
            var first = range < 0 ? 0 : long.Parse(Encoding.ASCII.GetString(head.Fields.Value(stream.Buffered, range)).Split(' ', '-')[1], CultureInfo.InvariantCulture);
            Head = Encoding.ASCII.GetString(stream.Buffered[..head.Length]);
            Status = head.Status;
            var (framing, length) = (head.Framing, head.ContentLength);
            stream.Use(head.Length);
            Took = ((world.World.Now / 1000) - since, 0);
            await TakeAsync(stream, framing, length, first, rate, leavesAt);
            if (IsWhole && isWrong && leavesAt < 0) broken.Add($"a wrong body of version {Version} came whole");
            Took = (Took.Head, (world.World.Now / 1000) - since);
        }

        stream.Transport.Close(reset: leavesAt >= 0 && world.World.Random.Next(2) == 0);
        IsDone = true;
    }

    private async LoopTask TakeAsync(Stream stream, BodyFraming framing, long length, long first, int rate, long leavesAt)
    {
        if (framing == BodyFraming.None)
        {
            IsWhole = true;
            return;
        }

        var chunked = new ChunkedDecoder();
        chunked.Reset();
        while (true)
        {
            var piece = stream.Buffered;
            if (framing == BodyFraming.Chunked)
            {
                var step = chunked.Next(piece, out var used, out var count);
                stream.Use(used);
                if (step == ChunkStep.End) IsWhole = true;
                if (step == ChunkStep.End) return;
                piece = step == ChunkStep.Piece ? stream.Buffered[..count] : default;
            }
            else if (framing == BodyFraming.Length && piece.Length > length - Got)
            {
                piece = piece[..(int)(length - Got)];
            }

            var taken = piece.Length;
            if (Status is 200 or 206) Look(piece, first);
            Got += taken;
            stream.Use(taken);
            if (framing == BodyFraming.Chunked && taken > 0) chunked.Advance(taken);
            if (framing == BodyFraming.Length && Got == length) IsWhole = true;
            if (IsWhole || (leavesAt >= 0 && Got >= leavesAt)) return;
            if (rate > 0 && taken > 0) await stream.PauseAsync(Math.Max(1, taken / rate));
            if (taken == 0 && !await stream.FillAsync()) return;
        }
    }

    private void Look(ReadOnlySpan<byte> piece, long first)
    {
        for (var i = 0; i < piece.Length; i++)
        {
            if (piece[i] == RangeOrigin.At(Version, first + Got + i)) continue;
            isWrong = true;
            if (!TakesBreaks) broken.Add($"byte {first + Got + i} of version {Version} is another");
            return;
        }
    }
}
