// A client that leaves frees what was done for it at once: its slots, the connection that is made for it, what was recorded
// of its body. Here while nothing of the origin's is waited for: a connection is being made, or time passes between attempts.

using System.Text;
using Weir.Engine.Balancing;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

public class LeavingTests
{
    // So soon after it left: far less than any time that is waited for otherwise.
    private const int AtOnce = 20;

    private static readonly Bounds Bounds = new() { Connections = 2, Requests = 2, EndpointConnections = 1, EndpointRequests = 1 };

    [Theory]
    [InlineData("GET", 0, false)]
    [InlineData("GET", 0, true)]
    [InlineData("PUT", 20_000, false)]
    [InlineData("POST", 20_000, true)]
    [InlineData("PUT", -500, false)] // Of its body a part has come.
    [InlineData("PUT", -500, true)]
    public void While_a_connection_is_made(string method, int body, bool breaks)
    {
        var world = World(new RetryPlan());
        foreach (var socket in world.OriginSockets) socket.IsBlackHole = true;
        var client = Ask(world, method, body);
        Assert.Equal((1, 1, 1), (world.Upstream.Door.Taken, world.Upstream.Connections.Count, world.Endpoints.Sum(static e => e.Held)));
        Assert.Equal((1, 3), (world.Endpoints.Sum(static e => ((IBalanced)e).Active), world.Endpoints.Count(HasSlot)));
        Leave(world, client, breaks);
        Assert.All(world.Endpoints, static e => Assert.Equal((Away.None, 0L), (e.Absence.Now, e.ConnectFailures))); // Its leaving says nothing of a server.
        Assert.Equal(0, world.Upstream.Door.Queued);
    }

    [Theory]
    [InlineData("GET", 0, false)]
    [InlineData("GET", 0, true)]
    [InlineData("PUT", 20_000, false)]
    [InlineData("PUT", 20_000, true)]
    public void Between_two_attempts(string method, int body, bool breaks)
    {
        var world = World(new RetryPlan { BackOff = 8_000, MostBackOff = 8_000 });
        var asked = 0;
        foreach (var socket in world.OriginSockets) world.Accept(socket, transport => TakeAsync(new Stream(transport)).Detach());
        var client = Ask(world, method, body);
        // The first goes again at once; before the next one it waits, and what it sent is kept.
        Assert.Equal((2, 1), (asked, world.Upstream.Door.Taken));
        Assert.Equal(0, world.Endpoints.Sum(static e => ((IBalanced)e).Active));
        Assert.True(body == 0 || world.Engine.Workers.Sum(static w => w.Buffers.Leased) > 1);
        Leave(world, client, breaks);
        world.World.Run(20_000);
        Assert.Equal(2, asked);

        async LoopTask TakeAsync(Stream stream)
        {
            var head = new RequestHead();
            if (await stream.HeadAsync(head))
            {
                asked++;
                stream.Use(head.Length);
                await stream.BodyAsync(head.Framing, head.ContentLength);
            }

            stream.Transport.Close(reset: true);
        }
    }

    private static EngineWorld World(RetryPlan retry) =>
        new(1, new Weather { MostDelay = 0, SplitsWrites = false }, origins: 4, balancing: new EngineWorld.Balancing { Settings = new UpstreamSettings { Bounds = Bounds }, Retry = retry });

    // A negative body has only begun to come.
    private static Transport Ask(EngineWorld world, string method, int body)
    {
        var transport = world.ClientNetwork.Connect(EngineWorld.Front, out _)!;
        SendAsync().Detach();
        world.World.Run(200);
        return transport;

        async LoopTask SendAsync()
        {
            var stream = new Stream(transport);
            await stream.SendAsync(Encoding.ASCII.GetBytes($"{method} / HTTP/1.1\r\nHost: h\r\n{(body == 0 ? "" : $"Content-Length: {(body < 0 ? 20_000 : body)}\r\n")}\r\n"));
            await stream.SendAsync(new byte[Math.Abs(body)]);
        }
    }

    private static void Leave(EngineWorld world, Transport client, bool breaks)
    {
        client.Close(breaks);
        world.World.Run(AtOnce);
        Assert.Empty(world.Leftovers());
        Assert.All(world.Endpoints, static e => Assert.True(HasSlot(e) && ((IBalanced)e).Active == 0, e.Name));
    }

    private static bool HasSlot(Endpoint endpoint)
    {
        if (!endpoint.TryTakeSlot()) return false;
        endpoint.GiveSlot();
        return true;
    }
}
