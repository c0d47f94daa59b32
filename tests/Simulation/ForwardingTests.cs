// Small plays of what forwarding does, in which every moment is known.

using System.Text;
using System.Text.Json;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

public class ForwardingTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_waited_in_the_queue_is_told_as_time_before_the_connection_though_that_was_there_already(bool tls)
    {
        var target = new EngineWorld.StringTarget();
        var log = new AccessLog("log", LogFormat.Json, target, 2);
        var world = new EngineWorld(1, new Weather { MostDelay = 0, SplitsWrites = false }, origins: 1, balancing: new EngineWorld.Balancing { Settings = new UpstreamSettings { Bounds = new Bounds { Requests = 1 } }, Log = log }, tls: tls ? new TlsWhims() : null);
        Serve(world, 0, answers: true, after: 200);
        var answers = new List<int>();
        for (var i = 0; i < 6; i++) AskAsync(world, answers).Detach();
        world.World.Run(10_000);
        Assert.Equal([200, 200, 200, 200, 200, 200], answers);
        log.Drain();
        var records = target.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonDocument.Parse(line).RootElement).ToArray();
        var waited = records.Where(static record => record.TryGetProperty("queue_us", out _)).ToArray();
        Assert.Equal(5, waited.Length);
        Assert.All(waited, static record => Assert.True(record.GetProperty("connect_us").GetInt64() >= record.GetProperty("queue_us").GetInt64(), record.ToString()));
        Assert.All(records, static record => Assert.InRange(record.GetProperty("wait_us").GetInt64(), 199_000, 210_000));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_breaker_counts_statuses_where_nobody_is_ejected_too(bool tls)
    {
        var world = new EngineWorld(1, new Weather { MostDelay = 0, SplitsWrites = false }, origins: 1, balancing: new EngineWorld.Balancing { Settings = new UpstreamSettings { Passive = null, Breaker = new BreakerSettings(50, 10_000, 5, 3_000, OfUpstream: true, OfEndpoints: false) }, Retry = new RetryPlan { Attempts = 0 } }, tls: tls ? new TlsWhims() : null);
        Serve(world, 0, answers: true, status: 503);
        var answers = new List<int>();
        for (var i = 0; i < 5; i++) AskAsync(world, answers).Detach();
        world.World.Run(1_000);
        Assert.Equal([503, 503, 503, 503, 503], answers);
        Assert.True(world.Upstream.Breaker.IsOpen);
    }

    [Theory]
    [InlineData(404, true)]
    [InlineData(503, false)]
    public void A_status_after_which_another_is_asked_is_a_failure_only_where_it_is_one_by_itself(int status, bool isAvailable)
    {
        var balancing = new EngineWorld.Balancing { Settings = new UpstreamSettings { Passive = new PassiveHealth { Failures = 2 } }, Retry = new RetryPlan { Statuses = new StatusSet([(404, 404), (503, 503)]) } };
        var world = new EngineWorld(1, new Weather { MostDelay = 0, SplitsWrites = false }, origins: 2, balancing: balancing);
        Serve(world, 0, answers: true, status: status);
        Serve(world, 1, answers: true);
        var answers = new List<int>();
        for (var i = 0; i < 8; i++) AskAsync(world, answers).Detach();
        world.World.Run(1_000);
        Assert.Equal([200, 200, 200, 200, 200, 200, 200, 200], answers);
        Assert.Equal(isAvailable, world.Endpoints[0].IsAvailable);
    }

    [Fact]
    public void Who_has_only_what_others_left_of_the_time_is_not_blamed_and_who_used_it_up_is_ejected()
    {
        var balancing = new EngineWorld.Balancing { Weights = [1000, 1], Settings = new UpstreamSettings { Passive = new PassiveHealth { Failures = 3 } }, Retry = new RetryPlan { PerTry = 250 }, Total = 300 };
        var world = new EngineWorld(1, new Weather { MostDelay = 0, SplitsWrites = false }, origins: 2, balancing: balancing);
        Serve(world, 0, answers: false);
        Serve(world, 1, answers: true, after: 150);
        var answers = new List<int>();
        for (var i = 0; i < 5; i++)
        {
            AskAsync(world, answers).Detach();
            world.World.Run(1_000);
        }

        Assert.Equal([504, 504, 504, 200, 200], answers);
        Assert.Equal([false, true], world.Endpoints.Select(static e => e.IsAvailable));
    }

    [Fact]
    public void A_server_that_takes_nothing_more_of_a_body_is_followed_by_another_that_gets_all_of_it()
    {
        const int Length = 1 << 20;
        var world = new EngineWorld(1, new Weather { MostDelay = 0, SplitsWrites = false }, origins: 2, balancing: new EngineWorld.Balancing { Retry = new RetryPlan { Buffer = 2 * Length } });
        var (came, answers) = (new List<int>(), new List<int>());
        HangAsync(world.OriginNetwork.Accept(world.OriginSockets[0])).Detach();
        TakeAsync(world.OriginNetwork.Accept(world.OriginSockets[1])).Detach();
        AskAsync(world, answers, $"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {Length}\r\n\r\n{new string('x', Length)}").Detach();
        world.World.Run(59_000);
        Assert.Empty(answers);
        world.World.Run(2_000);
        Assert.Equal([200], answers);
        Assert.Equal([Length], came);

        async LoopTask HangAsync(Acceptor acceptor)
        {
            await new Waiter(world.OriginLoop).FirstOf(acceptor.Acceptable, 20_000);
            Assert.True(await new Stream(acceptor.TryAccept(out _)!).HeadAsync(new RequestHead()));
        }

        async LoopTask TakeAsync(Acceptor acceptor)
        {
            await new Waiter(world.OriginLoop).FirstOf(acceptor.Acceptable, 90_000);
            var (stream, head) = (new Stream(acceptor.TryAccept(out _)!), new RequestHead());
            await stream.HeadAsync(head);
            stream.Use(head.Length);
            came.Add((await stream.BodyAsync(BodyFraming.Length, Length))!.Length);
            await stream.SendAsync("HTTP/1.1 200 So\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
        }
    }

    private static void Serve(EngineWorld world, int i, bool answers, int after = 0, int status = 200) => AcceptAsync(world, world.OriginNetwork.Accept(world.OriginSockets[i]), answers, after, status).Detach();

    private static async LoopTask AcceptAsync(EngineWorld world, Acceptor acceptor, bool answers, int after, int status)
    {
        var waiter = new Waiter(world.OriginLoop);
        while (await waiter.FirstOf(acceptor.Acceptable, 20_000) == Wake.First)
        {
            while (acceptor.TryAccept(out _) is { } transport) ServeAsync(new Stream(transport), answers, after, status).Detach();
            acceptor.Acceptable.Clear();
        }

        acceptor.Close();
    }

    // One that does not answer is silent for as long as a hedge is thought of, and breaks the connection then.
    private static async LoopTask ServeAsync(Stream stream, bool answers, int after, int status)
    {
        var head = new RequestHead();
        while (await stream.FillAsync())
        {
            head.Clear();
            if (RequestParser.Parse(stream.Buffered, HeadLimits.Default, head, out _) != ParseStatus.Done) continue;
            stream.Use(head.Length);
            if (!answers)
            {
                await stream.PauseAsync(300);
                break;
            }

            if (after > 0) await stream.PauseAsync(after);
            await stream.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status} So\r\nContent-Length: 2\r\n\r\nso"));
        }

        stream.Transport.Close(reset: !answers);
    }

    private static async LoopTask AskAsync(EngineWorld world, List<int> answers, string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    {
        var transport = (await world.ConnectAsync())!;
        var stream = new Stream(transport);
        await stream.SendAsync(Encoding.ASCII.GetBytes(request));
        var head = new ResponseHead();
        while (await stream.FillAsync())
        {
            head.Clear();
            if (ResponseParser.Parse(stream.Buffered, HeadLimits.Default, KnownMethod.Get, head, out _) != ParseStatus.Done) continue;
            answers.Add(head.Status);
            break;
        }

        transport.Close();
    }
}
