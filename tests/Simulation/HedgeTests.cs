// A request that is slow to be answered may be sent to a second server; where it may not, that server is still there to be
// asked when the first one fails.

using System.Text;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Simulation;

public class HedgeTests
{
    [Theory]
    [InlineData("budget")]
    [InlineData("slots")]
    public void One_that_was_not_asked_after_all_is_asked_when_the_first_fails(string refusal)
    {
        var settings = new UpstreamSettings { Bounds = refusal == "slots" ? new Bounds { Requests = 1 } : null };
        var world = new EngineWorld(1, new Weather { MostDelay = 0, SplitsWrites = false }, balancing: new EngineWorld.Balancing { Settings = settings, Hedge = new HedgePlan(100, 0, 0) });
        while (refusal == "budget" && world.Upstream.Hedges.TryTake(world.Engine.Workers[0].Loop.Now, 0))
        {
        }

        var asked = 0;
        for (var i = 0; i < 2; i++) world.Accept(world.OriginSockets[i], transport => ServeAsync(new Stream(transport), asked++ == 0).Detach());
        var answer = "";
        AskAsync().Detach();
        world.World.Run(5_000);
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Equal((2, 0L), (asked, world.Upstream.HedgeCounts.Sent));

        // Who is asked first breaks after a while without an answer.
        async LoopTask ServeAsync(Stream stream, bool breaks)
        {
            await stream.FillAsync();
            if (breaks) await stream.PauseAsync(1_000);
            else await stream.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            if (breaks) stream.Transport.Close(reset: true);
        }

        async LoopTask AskAsync()
        {
            var stream = new Stream(world.ClientNetwork.Connect(EngineWorld.Front, out _)!);
            await stream.SendAsync("GET / HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray());
            await stream.FillAsync();
            answer = Encoding.ASCII.GetString(stream.Buffered);
        }
    }

    [Fact]
    public void Who_sends_hints_and_then_nothing_is_followed_by_a_second()
    {
        var world = new EngineWorld(1, new Weather { MostDelay = 0, SplitsWrites = false }, balancing: new EngineWorld.Balancing { Hedge = new HedgePlan(100, 0, 100) });
        string[] answers = ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"];
        for (var i = 0; i < 2; i++) AnswerAsync(world.OriginNetwork.Accept(world.OriginSockets[i]), answers[i]).Detach();
        var stream = new Stream(world.ClientNetwork.Connect(EngineWorld.Front, out _)!);
        AskAsync().Detach();
        world.World.Run(1_000);
        var came = Encoding.ASCII.GetString(stream.Buffered);
        Assert.StartsWith(answers[0], came, StringComparison.Ordinal);
        Assert.Contains("HTTP/1.1 200 ", came, StringComparison.Ordinal);
        Assert.Equal((1L, 1L), world.Upstream.HedgeCounts);

        async LoopTask AnswerAsync(Acceptor acceptor, string answer)
        {
            await new Waiter(world.OriginLoop).FirstOf(acceptor.Acceptable, long.MaxValue);
            var origin = new Stream(acceptor.TryAccept(out _)!);
            await origin.FillAsync();
            await origin.SendAsync(Encoding.ASCII.GetBytes(answer));
        }

        async LoopTask AskAsync()
        {
            await stream.SendAsync("GET / HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray());
            while (await stream.FillAsync())
            {
            }
        }
    }
}
