// A mistake in one callback: whoever runs the loop catches it and runs it again, and nobody else's turn is lost.

using System.Net;
using System.Net.Sockets;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Loops;

public class LoopTests
{
    private readonly List<string> done = [];

    [Fact]
    public void Posted_work_behind_a_mistake_runs_in_its_order()
    {
        var loop = new Loop(new ManualPoller());
        loop.Post(Fail);
        loop.Post(() => done.Add("a"));
        loop.Post(() => loop.Post(() => done.Add("c")));
        loop.Post(() => done.Add("b"));
        Assert.Throws<InvalidOperationException>(() => loop.Turn(false));
        Assert.True(loop.Turn(false));
        loop.Turn(false);
        Assert.Equal(["a", "b", "c"], done);
    }

    [Fact]
    public void Timers_of_one_tick_fire_though_one_of_them_is_a_mistake()
    {
        var poller = new ManualPoller();
        var loop = new Loop(poller);
        for (var i = 0; i < 3; i++) loop.Arm(new Entry(() => done.Add("late")), loop.Now + 8);
        loop.Arm(new Entry(Fail), loop.Now + 8);
        for (var i = 0; i < 3; i++) loop.Arm(new Entry(() => done.Add("soon")), loop.Now + 8);
        poller.Now += 20;
        Assert.Throws<InvalidOperationException>(() => loop.Turn(false));
        Assert.True(loop.NextTimer() <= poller.Now);
        loop.Turn(false);
        Assert.Equal(6, done.Count);
        Assert.Equal(long.MaxValue, loop.NextTimer());
    }

    [Fact]
    public void Events_of_a_batch_are_all_told_though_one_of_them_is_a_mistake()
    {
        using var poller = new EpollPoller();
        var loop = new Loop(poller);
        var sockets = Enumerable.Range(0, 5).Select(_ => Bound()).ToArray();
        for (var i = 0; i < sockets.Length; i++)
        {
            var name = $"{i}";
            poller.Watch((int)sockets[i].Handle, new Polled(i == 1 ? Fail : () => done.Add(name)));
        }

        // Writable once: an edge that is not told does not come again.
        Assert.Throws<InvalidOperationException>(() => loop.Turn(false));
        loop.Turn(false);
        Assert.Equal(["0", "2", "3", "4"], done.Order());
        foreach (var socket in sockets) socket.Dispose();
    }

    private static Socket Bound()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private static void Fail() => throw new InvalidOperationException("a mistake");

    private sealed class Entry(Action then) : TimerEntry
    {
        protected internal override void OnDue() => then();
    }

    private sealed class Polled(Action then) : IPolled
    {
        public void OnEvents(PollEvents events) => then();
    }
}
