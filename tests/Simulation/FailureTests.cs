// Three servers of unequal weight, of which up to two are made to fail in every way there is, one after the other and both
// at once, while clients ask. What must hold:
//
//   an idempotent request is answered well while no byte of an answer had been passed on; afterwards its break is seen
//   a request that may not be sent twice is sent once, and fails only where a server had consumed it
//   nothing is sent to a server that has been known to be away for a while
//   what is attempted again stays within the budget
//   when all are well again, shares follow the weights
//   nothing is held, counted or waited for in the end

using System.Globalization;
using System.Text;
using Weir.Engine.Balancing;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

public class FailureTests
{
    // A world of many requests: fewer of them than of the small ones.
    private static readonly int Seeds = Math.Max(1, int.Parse(Environment.GetEnvironmentVariable("WEIR_SEEDS") ?? "300", CultureInfo.InvariantCulture) / 10);
    private static readonly int? OneSeed = int.TryParse(Environment.GetEnvironmentVariable("WEIR_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : null;

    private static readonly Func<Balancer>[] Balancers =
        [() => new RoundRobin(), () => new WeightedRandom(), () => new PowerOfTwo(), () => new LeastRequests(), () => new PeakEwma(), () => new ConsistentHash(new HashKey(KeySource.Path, []), 125), () => new Maglev(new HashKey(KeySource.Path, []))];

    /// <summary>What a server does to whoever asks it.</summary>
    internal enum Fault
    {
        None,

        /// <summary>Connections are reset, and refused.</summary>
        Killed,

        /// <summary>Accepts, reads, is silent.</summary>
        Hung,

        /// <summary>Connections are not even accepted.</summary>
        Gone,

        /// <summary>Takes the request and breaks the connection.</summary>
        Breaks,

        /// <summary>Breaks the connection within the answer's body.</summary>
        BreaksWithin,
        Busy,
        Slow,
    }

    [Fact]
    public void While_one_server_is_left_idempotent_requests_are_answered_and_others_are_sent_once()
    {
        var broken = new List<string>();
        foreach (var seed in OneSeed is { } one ? [one] : Enumerable.Range(1, Seeds))
        {
            broken.AddRange(new Run(seed).Broken().Take(3).Select(b => $"seed {seed}: {b}"));
            if (broken.Count > 10) break;
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken));
    }

    /// <summary>One world from one seed.</summary>
    private sealed class Run
    {
        private const int Clients = 12;
        private const long Ends = 90_000;
        private const Away Suspected = Away.Unreachable | Away.Ejected; // Asked last.
        private static readonly int[] Weights = [1, 2, 3];

        private readonly EngineWorld world;
        private readonly Random random;
        private readonly EngineWorld.Balancing balancing;
        private readonly Fault[] faults = new Fault[3];
        private readonly long[] wasBad = [-1, -1, -1];
        private readonly Dictionary<Stream, int>[] open = [[], [], []];
        private readonly long[] awaySince = [-1, -1, -1];
        private readonly int[] served = new int[3];
        private readonly HashSet<int> consumed = [];
        private readonly HashSet<int> broke = [];
        private readonly List<string> broken = [];
        private int attempts;
        private int asked;
        private int done;
        private bool isOver;
        private bool isMeasured;

        public Run(int seed)
        {
            random = new Random(seed);
            balancing = new EngineWorld.Balancing
            {
                Balancer = Balancers[seed % Balancers.Length](),
                Weights = Weights,
                Settings = new UpstreamSettings { Panic = UpstreamSettings.NoPanic, AwayFor = 2_000, SlowStart = seed % 5 == 0 ? 2_000 : 0, Passive = new PassiveHealth { Failures = 1 + (seed % 3), EjectFor = 1_000, MostEjectFor = 3_000 } },
                Retry = new RetryPlan { PerTry = 1_000, BudgetPercent = seed % 4 == 0 ? 100 : 20 },
                Hedge = seed % 3 == 0 ? new HedgePlan(300, 0, 100) : null,
            };
            world = new EngineWorld(seed, new Weather { MostDelay = seed % 4, MostDelivered = seed % 2 == 0 ? 100_000 : 300, Window = 65_536, SplitsWrites = seed % 2 == 1 }, origins: 3, balancing, tls: Whims.Calm(seed));
        }

        public List<string> Broken()
        {
            for (var i = 0; i < 3; i++) Listen(i);
            ScriptAsync().Detach();
            WatchAsync().Detach();
            for (var i = 0; i < Clients; i++) AskAsync(i * 100_000).Detach();
            for (var waited = 0; waited < 400_000 && done < Clients; waited += 500)
            {
                if (world.World.Run(500, mostSteps: long.MaxValue)) continue;
                broken.Add("livelock");
                break;
            }

            if (done < Clients) broken.Add($"{Clients - done} clients wait for ever");
            world.Engine.Drain();
            world.World.Run(60_000, mostSteps: long.MaxValue);
            world.Engine.Stop();
            world.World.Run(10_000, mostSteps: long.MaxValue);
            broken.AddRange(world.Leftovers());
            // Connections that failed before anything was sent cost the servers nothing.
            var retried = attempts - asked;
            var allowed = (asked * balancing.Retry.BudgetPercent / 100.0) + 100 + (10 * Ends / 1000.0) + (balancing.Hedge is null ? 0 : asked + 100);
            if (retried > allowed) broken.Add($"{retried} attempts more than {asked} requests; the budget allows {allowed}");
            return broken;
        }

        private void Listen(int i)
        {
            var socket = world.OriginSockets[i];
            if (socket.IsClosed) socket = world.OriginSockets[i] = world.World.Listen(socket.Address);
            AcceptAsync(i, world.OriginNetwork.Accept(socket)).Detach();
        }

        // Two of three at most are at fault at a time; then all are well for a while.
        private async LoopTask ScriptAsync()
        {
            var waiter = new Waiter(world.OriginLoop);
            await waiter.Until(world.OriginLoop.Now + 3_000);
            while (world.World.Now / 1000 < Ends - 40_000)
            {
                var first = random.Next(3);
                var second = (first + 1 + random.Next(2)) % 3;
                Set(first, (Fault)random.Next(1, 8));
                await waiter.Until(world.OriginLoop.Now + random.Next(0, 4_000));
                if (random.Next(3) > 0) Set(second, (Fault)random.Next(1, 8));
                await waiter.Until(world.OriginLoop.Now + random.Next(500, 6_000));
                Set(random.Next(2) == 0 ? first : second, Fault.None);
                await waiter.Until(world.OriginLoop.Now + random.Next(0, 2_000));
                Set(first, Fault.None);
                Set(second, Fault.None);
                await waiter.Until(world.OriginLoop.Now + random.Next(0, 3_000));
            }

            // All are well; ejections and slow starts end; then shares are counted.
            await waiter.Until(world.OriginLoop.Now + 12_000);
            isMeasured = true;
            await waiter.Until(Ends);
            isOver = true;
        }

        private void Set(int i, Fault fault)
        {
            if (faults[i] == fault) return;
            var before = faults[i];
            faults[i] = fault;
            wasBad[i] = world.OriginLoop.Now;
            if (fault is Fault.Killed)
            {
                world.OriginSockets[i].Close();
                Break(i);
            }
            else if (before == Fault.Killed)
            {
                Listen(i);
            }

            // What it kept silent about it never answers: who has hung is started anew.
            if (before is Fault.Hung or Fault.Gone)
            {
                Break(i);
            }

            world.OriginSockets[i].IsBlackHole = fault == Fault.Gone;
        }

        // What was under way is lost, be it sent already.
        private void Break(int i)
        {
            foreach (var (stream, id) in open[i].ToArray())
            {
                stream.Transport.Close(reset: true);
                broke.Add(id);
            }

            open[i].Clear();
        }

        private async LoopTask WatchAsync()
        {
            var waiter = new Waiter(world.OriginLoop);
            while (!isOver)
            {
                for (var i = 0; i < 3; i++)
                {
                    if ((world.Endpoints[i].Absence.Now & ~Suspected) == 0) awaySince[i] = -1;
                    else if (awaySince[i] < 0) awaySince[i] = world.OriginLoop.Now;
                }

                await waiter.Until(world.OriginLoop.Now + 10);
            }
        }

        private async LoopTask AcceptAsync(int i, Acceptor acceptor)
        {
            var socket = world.OriginSockets[i];
            var waiter = new Waiter(world.OriginLoop);
            while (!socket.IsClosed)
            {
                var wake = await waiter.FirstOf(acceptor.Acceptable, world.OriginLoop.Now + 50);
                if (wake != Wake.First) continue;
                while (acceptor.TryAccept(out _) is { } transport) WelcomeAsync(i, transport).Detach();
                acceptor.Acceptable.Clear();
            }

            acceptor.Close();
        }

        private async LoopTask WelcomeAsync(int i, Transport accepted)
        {
            if (await world.WelcomeAsync(accepted) is { } transport) await ServeAsync(i, new Stream(transport));
        }

        private async LoopTask ServeAsync(int i, Stream stream)
        {
            open[i][stream] = -1;
            var head = new RequestHead();
            while (true)
            {
                head.Clear();
                ParseStatus parsed;
                while ((parsed = stream.Buffered.IsEmpty ? ParseStatus.NeedMore : RequestParser.Parse(stream.Buffered, HeadLimits.Default, head, out _)) == ParseStatus.NeedMore && await stream.FillAsync())
                {
                }

                if (parsed != ParseStatus.Done) break;
                var path = Encoding.ASCII.GetString(head.Path.Of(stream.Buffered)).Split('/');
                var (id, size) = (int.Parse(path[1], CultureInfo.InvariantCulture), int.Parse(path[2], CultureInfo.InvariantCulture));
                var (method, framing, length) = (head.KnownMethod, head.Framing, head.ContentLength);
                stream.Use(head.Length);
                attempts++;
                if (open[i].ContainsKey(stream)) open[i][stream] = id;
                if ((world.Endpoints[i].Absence.Now & ~Suspected) != 0 && awaySince[i] >= 0 && world.OriginLoop.Now - awaySince[i] > 1_000) broken.Add($"request {id} was sent to server {i}, away since {awaySince[i]}: {world.Endpoints[i].Absence.Now}");
                if (!consumed.Add(id) && method == KnownMethod.Post) broken.Add($"request {id}: a POST was sent twice");
                if (await stream.BodyAsync(framing, length) is not { } body) break;
                if (!body.AsSpan().SequenceEqual(Findings.Pattern(id, body.Length))) broken.Add($"request {id}: its body arrived changed");
                if (isMeasured) served[i]++;
                var fault = faults[i];
                if (fault == Fault.Hung) return; // Until it is started anew.
                if (fault is Fault.Breaks or Fault.Killed) break;
                if (fault == Fault.Slow) await stream.PauseAsync(400);
                if (fault == Fault.Busy)
                {
                    if (!await stream.SendAsync("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"u8.ToArray())) break;
                    continue;
                }

                await stream.PauseAsync(random.Next(1, 20));
                var pattern = Findings.Pattern(id, size);
                if (!await stream.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: {size}\r\n\r\n"))) break;
                if (fault == Fault.BreaksWithin && size > 1 && method != KnownMethod.Head)
                {
                    broke.Add(id);
                    await stream.SendAsync(pattern[..random.Next(0, size)]);
                    await stream.PauseAsync(20);
                    break;
                }

                if (method != KnownMethod.Head && !await stream.SendAsync(pattern)) break;
            }

            open[i].Remove(stream);
            stream.Transport.Close(reset: random.Next(2) == 0);
        }

        private async LoopTask AskAsync(int firstId)
        {
            Stream? stream = null;
            var pause = new Waiter(world.ClientLoop);
            for (var id = firstId; !isOver; id++)
            {
                stream ??= new Stream((await world.ConnectAsync())!);
                var method = random.Next(5) switch { 0 => "POST", 1 => "HEAD", 2 => "DELETE", _ => "GET" };
                var size = random.Next(4) == 0 ? random.Next(0, 40_000) : random.Next(0, 300);
                var body = method == "POST" ? Findings.Pattern(id, random.Next(0, 200)) : [];
                asked++;
                var sentAt = world.ClientLoop.Now;
                await stream.SendAsync([.. Encoding.ASCII.GetBytes($"{method} /{id}/{size} HTTP/1.1\r\nHost: h\r\n{(method == "POST" ? $"Content-Length: {body.Length}\r\n" : "")}\r\n"), .. body]);
                if (!await JudgeAsync(stream, id, method, method == "HEAD" ? 0 : size, sentAt))
                {
                    stream.Transport.Close();
                    stream = null;
                }

                await pause.Until(world.ClientLoop.Now + random.Next(0, 40));
            }

            stream?.Transport.Close();
            if (++done == Clients) JudgeShares();
        }

        /// <summary>Whether the connection can go on.</summary>
        private async LoopTask<bool> JudgeAsync(Stream stream, int id, string method, int size, long sentAt)
        {
            var head = new ResponseHead();
            ParseStatus parsed;
            while ((parsed = stream.Buffered.IsEmpty ? ParseStatus.NeedMore : ResponseParser.Parse(stream.Buffered, HeadLimits.Default, method == "HEAD" ? KnownMethod.Head : KnownMethod.Get, head, out _)) == ParseStatus.NeedMore && await stream.FillAsync())
            {
            }

            if (parsed != ParseStatus.Done)
            {
                broken.Add($"request {id} ({method}): no answer");
                return false;
            }

            var (status, framing, length, keepAlive) = (head.Status, head.Framing, head.ContentLength, head.KeepAlive);
            stream.Use(head.Length);
            var body = await stream.BodyAsync(framing, length);
            if (status == 200)
            {
                if (body is null && !broke.Contains(id)) broken.Add($"request {id} ({method}): cut, and no server had broken off");
                if (body is not null && !body.AsSpan().SequenceEqual(Findings.Pattern(id, size))) broken.Add($"request {id} ({method}): {body.Length} bytes that look whole, of {size}");
            }
            else if (Enumerable.Range(0, 3).All(i => faults[i] != Fault.None || wasBad[i] >= sentAt - 20))
            {
                // One after the other, all were at fault while it was on its way.
            }
            else if (method != "POST")
            {
                broken.Add($"request {id} ({method}) at {world.ClientLoop.Now}: {status} though a server was well ({string.Join(' ', faults)}; {string.Join(' ', world.Endpoints.Select(e => e.Absence.Now))})");
            }
            else if (!consumed.Contains(id) && !wasBad.Any(at => at >= sentAt - 20)) // What a server had when its connections were reset nobody knows.
            {
                broken.Add($"request {id} (POST): {status} though no server had consumed it");
            }

            return body is not null && keepAlive && framing != BodyFraming.UntilClose;
        }

        private void JudgeShares()
        {
            // Hashes share by keys, and the others but one by load too: their shares are looked at loosely. Latencies, by which
            // peak_ewma shares, are these servers' chance: it has no shares to come back to.
            if (balancing.Balancer is PeakEwma) return;
            var total = served.Sum();
            for (var i = 0; i < 3; i++)
            {
                var (share, due) = ((double)served[i] / total, Weights[i] / 6.0);
                if (Math.Abs(share - due) > 0.2 * due + 0.05) broken.Add($"server {i} has {share:P0} of the requests in the end, and {due:P0} are its ({balancing.Balancer.GetType().Name}, {total} requests; {string.Join(' ', world.Endpoints.Select(e => e.Absence.Now))})");
            }
        }
    }
}
