// Active checks in virtual time: what an origin does, what is thought of it, and that nothing is left behind.

using System.Net;
using System.Text;
using Weir.Control.Health;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Simulation;

public class HealthTests
{
    private static readonly ActiveCheck Asked = new() { Path = "/healthz", Query = "deep=1", Body = "well"u8.ToArray(), Interval = 5_000, Timeout = 2_000, Rise = 2, Fall = 3 };
    private static readonly Weather Calm = new() { MostDelay = 5 };

    [Theory]
    [InlineData(Illness.Busy, CheckOutcome.Status, "GET /healthz?deep=1 answered 503")]
    [InlineData(Illness.Hangs, CheckOutcome.Timeout, "GET /healthz?deep=1 was not answered in 2s")]
    [InlineData(Illness.Refuses, CheckOutcome.Refused, "cannot connect to 10.0.0.1:9000: Connection refused")]
    [InlineData(Illness.Vanished, CheckOutcome.Timeout, "no connection to 10.0.0.1:9000 in 2s")]
    [InlineData(Illness.Resets, CheckOutcome.Broken, "GET /healthz?deep=1: it ended or broke the connection without an answer")]
    [InlineData(Illness.Ends, CheckOutcome.Broken, "GET /healthz?deep=1: it ended or broke the connection without an answer")]
    [InlineData(Illness.EndsWithinHead, CheckOutcome.Broken, "GET /healthz?deep=1: it ended or broke the connection within its answer")]
    [InlineData(Illness.Drips, CheckOutcome.Timeout, "GET /healthz?deep=1 was not answered in 2s")]
    [InlineData(Illness.Promises, CheckOutcome.Timeout, "GET /healthz?deep=1 was not answered in 2s")]
    [InlineData(Illness.Babbles, CheckOutcome.Broken, "GET /healthz?deep=1: what it sent is no HTTP")]
    [InlineData(Illness.Confused, CheckOutcome.Body, "GET /healthz?deep=1 answered 200 without the text it must contain")]
    [InlineData(Illness.Cut, CheckOutcome.Broken, "GET /healthz?deep=1 answered 200, and its body broke off")]
    [InlineData(Illness.Forgets, CheckOutcome.Timeout, "GET /healthz?deep=1 was not answered in 2s")]
    public void It_is_away_after_so_many_failures_in_a_row_and_back_after_so_many_successes(Illness illness, CheckOutcome outcome, string reason)
    {
        for (var seed = 1; seed <= 10; seed++)
        {
            var run = new Run(seed, Calm, Asked);
            var (endpoint, check) = (run.World.Endpoints[0], run.Until(e => e.Last is not null));
            Assert.Equal(CheckOutcome.Passed, check.Last!.Result.Outcome);
            run.Be(illness);
            for (var failed = 1; failed <= 3; failed++)
            {
                run.Until(c => c.Count(outcome) == failed);
                Assert.Equal(failed == 3 ? $"3 checks in a row failed, the last: {reason}" : null, endpoint.Absence.ReasonOf(Away.Unhealthy));
                Assert.Equal(failed < 3, check.Last.IsHealthy);
            }

            run.Be(Illness.None);
            var passed = check.Count(CheckOutcome.Passed);
            run.Until(c => c.Count(CheckOutcome.Passed) == passed + 1);
            Assert.NotNull(endpoint.Absence.ReasonOf(Away.Unhealthy));
            run.Until(c => c.Count(CheckOutcome.Passed) == passed + 2);
            Assert.Null(endpoint.Absence.ReasonOf(Away.Unhealthy));
            Assert.Contains($"warn upstream: u: 10.0.0.1:9000 is away: 3 checks in a row failed, the last: {reason}\n", run.World.Said, StringComparison.Ordinal);
            Assert.Contains("info upstream: u: 10.0.0.1:9000 is back\n", run.World.Said, StringComparison.Ordinal);
            run.End();
        }
    }

    [Fact]
    public void The_first_check_decides_at_once()
    {
        var run = new Run(1, Calm, Asked, illness: Illness.Busy);
        Assert.Null(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        run.World.World.Run(200);
        Assert.Equal("a check failed: GET /healthz?deep=1 answered 503", run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        run.End();
    }

    [Fact]
    public void What_is_asked_is_what_was_written()
    {
        var run = new Run(1, Calm, Asked with { Host = "app.example.com", Fields = [("X-Probe", "yes"), ("user-agent", "me")] });
        run.Until(c => c.Last is not null);
        Assert.Equal("GET /healthz?deep=1 HTTP/1.1\r\nHost: app.example.com\r\nX-Probe: yes\r\nuser-agent: me\r\nConnection: close\r\n\r\n", run.Patients[0].Heard);
        run.End();
        run = new Run(1, Calm, Asked with { Method = "POST", Query = null, Body = null });
        run.Until(c => c.Last is not null);
        Assert.Equal("POST /healthz HTTP/1.1\r\nHost: 10.0.0.1:9000\r\nUser-Agent: weir-health\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", run.Patients[0].Heard);
        Assert.Equal("POST /healthz answered 200", run.Check.Last!.Result.Reason);
        run.End();
    }

    [Fact]
    public void Only_what_is_expected_passes()
    {
        var run = new Run(1, Calm, Asked with { Expect = [(503, 503), (204, 299)], Body = null }, illness: Illness.Busy);
        run.Until(c => c.Last is not null);
        Assert.True(run.Check.Last!.IsHealthy);
        run.Be(Illness.None);
        run.Until(c => c.Count(CheckOutcome.Status) == 3);
        Assert.NotNull(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        run.End();
    }

    [Theory]
    [InlineData("Content-Length: SIZE\r\n\r\n", 65_532, true)]
    [InlineData("Content-Length: SIZE\r\n\r\n", 65_533, false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n", 65_532, true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n", 65_533, false)]
    [InlineData("\r\n", 65_532, true)]
    [InlineData("\r\n", 65_533, false)]
    [InlineData("\r\n", 10, true)]
    public void The_text_must_stand_in_the_first_64_KiB_however_the_body_is_framed(string framing, int before, bool passes)
    {
        var body = new string('.', before) + "well" + new string('.', 20_000);
        var text = framing.StartsWith('T') ? string.Concat(body.Chunk(777).Select(c => $"{c.Length:x}\r\n{new string(c)}\r\n")) + "0\r\n\r\n" : body;
        var answer = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{framing.Replace("SIZE", $"{body.Length}", StringComparison.Ordinal)}{text}");
        for (var seed = 1; seed <= 5; seed++)
        {
            var run = new Run(seed, Calm with { MostDelay = 1, Window = 65536 }, Asked, answer: answer);
            run.Until(c => c.Last is not null);
            Assert.Equal(passes ? CheckOutcome.Passed : CheckOutcome.Body, run.Check.Last!.Result.Outcome);
            if (!passes) Assert.EndsWith("without the text it must contain in its first 64KiB", run.Check.Last.Result.Reason, StringComparison.Ordinal);
            run.End();
        }
    }

    [Fact]
    public void A_connection_is_enough_where_nothing_is_asked()
    {
        var run = new Run(1, Calm, new ActiveCheck { IsTcp = true, Fall = 1, Rise = 1 }, illness: Illness.Hangs);
        run.Until(c => c.Count(CheckOutcome.Passed) == 3);
        Assert.Equal("", run.Patients[0].Heard);
        run.Be(Illness.Refuses);
        run.Until(c => c.Last!.Result.Outcome == CheckOutcome.Refused);
        Assert.NotNull(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        run.End();
    }

    [Fact]
    public void Another_port_is_asked_where_one_is_written()
    {
        var run = new Run(1, Calm, Asked with { Port = 9001 }, origins: 2);
        run.World.World.Run(30_000);
        Assert.Empty(run.Patients[0].Visits);
        Assert.True(run.Patients[1].Visits.Count > 8);
        run.End();
    }

    [Fact]
    public void An_address_that_refuses_is_followed_by_the_next()
    {
        var run = new Run(1, Calm, Asked, before: w => w.Endpoints[0].Addresses = [NetworkAddress.FromIp(IPAddress.Parse("10.9.9.9"), 1), .. w.Endpoints[0].Addresses]);
        run.Until(c => c.Last is not null);
        Assert.Equal(CheckOutcome.Passed, run.Check.Last!.Result.Outcome);
        run.End();
    }

    [Fact]
    public void What_we_have_run_out_of_is_no_verdict()
    {
        var run = new Run(1, Calm, Asked with { Fall = 1 });
        run.Until(c => c.Count(CheckOutcome.Passed) == 1);
        foreach (var network in run.World.Networks) network.FailConnects = Errno.TooManyFiles;
        run.Until(c => c.Count(CheckOutcome.None) == 5);
        Assert.Null(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        foreach (var network in run.World.Networks) network.FailConnects = 0;
        run.Until(c => c.Count(CheckOutcome.Passed) == 2);
        run.End();
    }

    [Fact]
    public void Checks_are_no_traffic()
    {
        var run = new Run(1, Calm, Asked);
        var endpoint = run.World.Endpoints[0];
        for (var i = 0; i < 2_000; i++)
        {
            run.World.World.Run(10);
            Assert.Equal((0, 0, 0L), (endpoint.Active, endpoint.Connections, endpoint.Served));
        }

        Assert.Equal(0, endpoint.Traffic.Total().Requests);
        Assert.True(run.Patients[0].Visits.Count > 3);
        run.End();
    }

    [Fact]
    public void Checks_come_at_their_interval_with_its_jitter()
    {
        var run = new Run(1, Calm with { MostDelay = 0 }, Asked with { Jitter = 0.2 });
        run.World.World.Run(600_000);
        var pauses = run.Patients[0].Visits.Zip(run.Patients[0].Visits.Skip(1), (a, b) => b - a).ToArray();
        Assert.InRange(pauses[0], 0, 5_010);
        Assert.All(pauses[1..], pause => Assert.InRange(pause, 3_990, 6_020));
        Assert.True(pauses[1..].Max() - pauses[1..].Min() > 1_000);
        run.End();
    }

    [Fact]
    public void Endpoints_that_came_together_are_not_asked_together_and_each_by_one_loop()
    {
        const int Many = 500;
        var run = new Run(1, Calm with { SplitsWrites = false }, Asked, origins: Many);
        var most = 0;
        for (var i = 0; i < 200; i++)
        {
            run.World.World.Run(1);
            most = Math.Max(most, run.Health.UnderWay);
        }

        Assert.InRange(most, 2, 2 * HealthChecks.MostUnderWay);
        Assert.All(run.Patients, p => Assert.Single(p.Visits.Where(v => v < 1_200).Take(1)));
        run.World.World.Run(60_000, mostSteps: 50_000_000);
        Assert.All(run.Patients, p => Assert.InRange(p.Visits.Count, 11, 16));
        var last = run.Patients.Select(p => p.Visits[^1]).GroupBy(v => v / 500).ToArray();
        Assert.All(last, g => Assert.True(g.Count() < Many / 4));
        run.End();
    }

    [Fact]
    public void Many_that_hang_have_no_more_than_their_room()
    {
        const int Many = 300;
        var run = new Run(1, Calm with { SplitsWrites = false }, Asked, origins: Many, illness: Illness.Hangs);
        var most = 0;
        for (var i = 0; i < 2_000; i++)
        {
            run.World.World.Run(5, mostSteps: 50_000_000);
            most = Math.Max(most, run.Health.UnderWay);
        }

        Assert.Equal(2 * HealthChecks.MostUnderWay, most);
        Assert.All(run.World.Endpoints, e => Assert.NotNull(e.Absence.ReasonOf(Away.Unhealthy)));
        run.End();
    }

    [Fact]
    public void Whoever_leaves_is_not_asked_any_more_and_whoever_comes_is_at_once()
    {
        var run = new Run(1, Calm, Asked, origins: 3, illness: Illness.Hangs);
        run.World.World.Run(500);
        Assert.All(run.Patients, p => Assert.Equal(1, p.Open));
        run.World.Upstream.SetEndpoints([run.World.Endpoints[0]], run.World.Settings);
        run.World.World.Run(1_100);
        Assert.Equal([0, 0], run.Patients[1..].Select(p => p.Open));
        var visits = run.Patients[1].Visits.Count;
        run.World.World.Run(20_000);
        Assert.Equal(visits, run.Patients[1].Visits.Count);
        Assert.Null(run.Health.Of(run.World.Endpoints[1]));

        run.World.Upstream.SetEndpoints(run.World.Endpoints, run.World.Settings);
        run.Health.Look();
        run.World.World.Run(100);
        Assert.Equal(visits + 1, run.Patients[1].Visits.Count);
        run.End();
    }

    [Fact]
    public void One_that_leaves_and_comes_back_is_asked_by_one_flow()
    {
        var run = new Run(1, Calm, Asked, illness: Illness.Hangs);
        for (var i = 0; i < 50; i++)
        {
            run.World.Upstream.SetEndpoints(i % 2 == 0 ? [] : run.World.Endpoints, run.World.Settings);
            run.Health.Look();
            run.World.World.Run(i % 3);
            Assert.InRange(run.Health.UnderWay, 0, 1);
        }

        run.World.World.Run(3_000);
        run.Be(Illness.None);
        var visits = run.Patients[0].Visits.Count;
        run.World.World.Run(50_000);
        Assert.InRange(run.Patients[0].Visits.Count - visits, 9, 12);
        run.End();
    }

    [Fact]
    public void Where_nobody_wants_checks_any_more_nobody_stays_away_for_them()
    {
        var run = new Run(1, Calm, Asked, illness: Illness.Busy);
        run.World.World.Run(500);
        Assert.NotNull(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        run.World.Upstream.SetEndpoints(run.World.Endpoints, run.World.Settings with { Active = null });
        run.World.World.Run(1_100);
        Assert.Null(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        Assert.Contains("u: 10.0.0.1:9000 is not checked any more, and taken as healthy", run.World.Said, StringComparison.Ordinal);

        run.World.Upstream.SetEndpoints(run.World.Endpoints, run.World.Settings);
        run.World.World.Run(1_100);
        Assert.NotNull(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        run.End();
    }

    [Fact]
    public void Other_settings_hold_from_the_next_check()
    {
        var run = new Run(1, Calm, Asked, illness: Illness.Busy);
        run.Until(c => c.Count(CheckOutcome.Status) == 2);
        run.World.Upstream.SetEndpoints(run.World.Endpoints, run.World.Settings with { Active = Asked with { Path = "/other", Expect = [(503, 503)], Body = null, Rise = 1 } });
        run.Until(c => c.Count(CheckOutcome.Passed) == 1);
        Assert.StartsWith("GET /other?deep=1 ", run.Patients[0].Heard, StringComparison.Ordinal);
        Assert.Null(run.World.Endpoints[0].Absence.ReasonOf(Away.Unhealthy));
        Assert.Equal(2, run.Check.Count(CheckOutcome.Status));
        run.End();
    }

    [Fact]
    public void In_bad_weather_nothing_is_left_behind()
    {
        for (var seed = 1; seed <= 100; seed++)
        {
            var run = new Run(seed, new Weather { MostDelay = seed % 50, MostDelivered = 1 + (seed % 40), Window = 64 + seed, Reset = 0.01, Refuse = 0.1, Stall = seed % 7 == 0 ? 0.05 : 0 }, Asked with { Interval = 500 }, origins: 4);
            for (var i = 0; i < 20; i++)
            {
                run.Be((Illness)run.World.World.Random.Next(14));
                run.World.World.Run(run.World.World.Random.Next(1_500));
                run.World.Upstream.SetEndpoints([.. run.World.Endpoints.Where(_ => run.World.World.Chance(0.7))], run.World.Settings);
                if (run.World.World.Chance(0.5)) run.Health.Look();
            }

            run.End();
        }
    }

    private sealed class Run
    {
        public Run(int seed, Weather weather, ActiveCheck active, int origins = 1, Illness illness = Illness.None, byte[]? answer = null, Action<EngineWorld>? before = null)
        {
            World = new EngineWorld(seed, weather, origins, active: active);
            before?.Invoke(World);
            Patients = [.. Enumerable.Range(0, origins).Select(i => new Patient(World, i))];
            foreach (var patient in Patients) patient.Answer = answer ?? patient.Answer;
            Be(illness);
            Health = new HealthChecks(World.Engine, World.Errors);
            Health.Start();
        }

        public EngineWorld World { get; }

        public Patient[] Patients { get; }

        public HealthChecks Health { get; }

        public EndpointCheck Check => Health.Of(World.Endpoints[0])!;

        public void Be(Illness illness)
        {
            World.World.Weather = World.World.Weather with { Refuse = illness == Illness.Refuses ? 1 : 0 };
            foreach (var socket in World.OriginSockets) socket.IsBlackHole = illness == Illness.Vanished;
            foreach (var patient in Patients) patient.Illness = illness;
        }

        /// <summary>Runs until the first endpoint's checks are as they should be.</summary>
        public EndpointCheck Until(Func<EndpointCheck, bool> isSo)
        {
            for (var waited = 0; waited < 600_000; waited++)
            {
                if (Health.Of(World.Endpoints[0]) is { } check && isSo(check)) return check;
                World.World.Run(1);
            }

            throw new InvalidOperationException($"never: {World.Said}");
        }

        /// <summary>Stops, in the middle of whatever is under way: nothing may be left.</summary>
        public void End()
        {
            Health.Stop();
            World.Engine.Drain();
            World.World.Run(1);
            Assert.Equal(0, Health.UnderWay);
            Assert.All(World.Engine.Workers, w => Assert.Equal(0, w.Buffers.Leased));
            World.World.Weather = new Weather { MostDelay = 1 };
            World.World.Run(60_000, mostSteps: 100_000_000);
            Assert.All(Patients, p => Assert.Equal(0, p.Open));
            World.Engine.Stop();
            World.World.Run(10_000, mostSteps: 100_000_000);
            Assert.Empty(World.Leftovers());
        }
    }
}
