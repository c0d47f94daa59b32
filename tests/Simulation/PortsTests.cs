// A world in which no local port is left for new connections to origins.

using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class PortsTests
{
    [Fact]
    public void Without_a_local_port_a_request_gets_503_and_connections_that_are_there_are_used()
    {
        var world = new EngineWorld(1, new Weather { MostDelay = 1, SplitsWrites = false, MostDelivered = 100_000 });
        new Origin(world, new Findings(), Manners.Kind).Serve();
        var first = new Asking(world);
        var second = new Asking(world);
        Assert.StartsWith("HTTP/1.1 200 ", first.Ask(1), StringComparison.Ordinal);
        foreach (var network in world.Networks) network.FailConnects = Errno.AddressNotAvailable;
        var pooled = first.Ask(2);
        Assert.StartsWith("HTTP/1.1 200 ", pooled, StringComparison.Ordinal);

        // Whoever finds no connection that is there is told to come again, and the log says why.
        foreach (var worker in world.Engine.Workers)
        {
            worker.Loop.Post(() =>
            {
                foreach (var endpoint in world.Endpoints) endpoint.Pool(worker.Loop.Index).Sweep(worker.Loop.Now, all: true);
            });
        }

        world.World.Run(10);
        Assert.StartsWith("HTTP/1.1 503 ", second.Ask(3), StringComparison.Ordinal);
        Assert.Contains("no local port is left for this address", world.Said, StringComparison.Ordinal);
        foreach (var network in world.Networks) network.FailConnects = 0;
        Assert.StartsWith("HTTP/1.1 200 ", second.Ask(4), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", first.Ask(5), StringComparison.Ordinal);
    }

    /// <summary>A client's connection on which one request is asked after the other.</summary>
    private sealed class Asking
    {
        private readonly EngineWorld world;
        private readonly Stream stream;
        private string got = "";

        public Asking(EngineWorld world)
        {
            this.world = world;
            stream = new Stream(world.ClientNetwork.Connect(EngineWorld.Front, out _)!);
            world.World.Run(100);
            ReadAsync().Detach();
        }

        public string Ask(int id)
        {
            got = "";
            SendAsync(Encoding.ASCII.GetBytes($"GET /{id}/length/5 HTTP/1.1\r\nHost: h\r\n\r\n")).Detach();
            world.World.Run(1_000);
            return got;
        }

        private async LoopTask SendAsync(byte[] request) => await stream.SendAsync(request);

        private async LoopTask ReadAsync()
        {
            while (await stream.FillAsync())
            {
                got += Encoding.Latin1.GetString(stream.Buffered);
                stream.Use(stream.Buffered.Length);
            }
        }
    }
}
