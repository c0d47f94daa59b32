using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Engine.Forwarding;

public sealed class RelayReplayTests : IDisposable
{
    private readonly ReplayWorld world = new();
    private readonly LiveBody live = new();
    private readonly Exchange exchange;

    public RelayReplayTests() => exchange = new Exchange(world.Loop, world.Buffers) { TotalDeadline = Timeouts.None };

    public void Dispose() => world.Dispose();

    [Fact]
    public void Bytes_that_are_sent_again_are_counted_and_held_to_the_limit_once()
    {
        exchange.BodyLimit = 100_000;
        using var body = world.Lease(live, 1 << 20);
        for (var i = 0; i < 10; i++) live.Feed(ReplayWorld.Bytes(10_000, i * 10_000));
        live.End();
        foreach (var taken in new[] { 25_000, 0, 70_001 })
        {
            Assert.True(Send(body, new Sink(taken)).IsNone);
            body.Rewind();
        }

        Assert.Equal(70_001, exchange.BytesIn);
        var last = new Sink(int.MaxValue);
        Assert.True(Send(body, last).IsNone);
        Assert.True(last.IsFinished);
        Assert.Equal(ReplayWorld.Bytes(100_000), last.Got);
        Assert.Equal(100_000, exchange.BytesIn);
    }

    [Fact]
    public void A_body_over_the_limit_is_refused_on_a_later_attempt_too()
    {
        exchange.BodyLimit = 10;
        using var body = world.Lease(live, 1 << 20);
        live.Feed(new byte[10]);
        Send(body, new Sink(5));
        body.Rewind();
        live.Feed(new byte[1]);
        live.End();
        Assert.Equal(FaultCause.BodyTooLarge, Send(body, new Sink(int.MaxValue)).Cause);
        Assert.Equal(10, exchange.BytesIn);
    }

    [Fact]
    public void A_client_is_not_too_slow_while_a_disk_is_waited_for()
    {
        (exchange.MinRate, exchange.MinRateGrace) = (1 << 20, 10);
        using var body = world.Lease(live, 0, 1 << 20);
        live.Feed(ReplayWorld.Bytes(200_000));
        live.End();
        var sink = new Sink(int.MaxValue);
        var sending = Relay.SendRequestBodyAsync(exchange, body, sink);
        for (var i = 0; i < 10 && !sending.IsCompleted; i++)
        {
            Assert.True(body.AwaitsDisk);
            world.Poller.Now += 1_500;
            world.Loop.Turn(false);
            world.WorkDisk();
            world.Loop.Turn(false);
        }

        Assert.True(Ended(sending).IsNone);
        Assert.True(sink.IsFinished);
        Assert.Equal(ReplayWorld.Bytes(200_000), sink.Got);
    }

    [Fact]
    public void What_is_sent_again_does_not_make_a_client_any_faster()
    {
        (exchange.MinRate, exchange.MinRateGrace) = (1_000, 10);
        using var body = world.Lease(live, 1 << 20);
        live.Feed(new byte[10_000]);
        Send(body, new Sink(9_999));
        body.Rewind();
        var sending = Relay.SendRequestBodyAsync(exchange, body, new Sink(int.MaxValue));
        world.Poller.Now += 30;
        world.Loop.Turn(false);
        Assert.Equal(FaultCause.TooSlow, Ended(sending).Cause);
    }

    // The final answer may come early: nothing is sent again then, but the upload goes on.
    [Fact]
    public void An_upload_that_waits_for_a_disk_goes_on_at_once_where_nothing_is_recorded_any_more()
    {
        using var body = world.Lease(live, 1_000, 1 << 20);
        live.Feed(ReplayWorld.Bytes(200_000));
        live.End();
        var sink = new Sink(int.MaxValue);
        var sending = Relay.SendRequestBodyAsync(exchange, body, sink);
        Assert.True(body.AwaitsDisk);
        body.StopRecording();
        world.Loop.Turn(false);
        world.Loop.Turn(false);
        Assert.True(Ended(sending).IsNone);
        Assert.Equal(ReplayWorld.Bytes(200_000), sink.Got);
    }

    [Fact]
    public void An_upload_cancelled_while_a_disk_is_waited_for_is_sent_again()
    {
        using var body = world.Lease(live, 1_000, 1 << 20);
        live.Feed(ReplayWorld.Bytes(200_000));
        live.End();
        var first = Relay.SendRequestBodyAsync(exchange, body, new Sink(int.MaxValue));
        Assert.True(body.AwaitsDisk);
        exchange.UploadFlow.Cancel();
        Assert.True(Ended(first).IsNone);
        body.Rewind();
        var sink = new Sink(int.MaxValue);
        Assert.True(Send(body, sink).IsNone);
        Assert.Equal(ReplayWorld.Bytes(200_000), sink.Got);
        Assert.Equal(200_000, exchange.BytesIn);
    }

    // As HTTP/1.1 reads it, chunked and by length, twice.
    [Theory]
    [InlineData("Content-Length: 11", "hello world", false)]
    [InlineData("Transfer-Encoding: chunked", "3\r\nhel\r\n1;x=y\r\nl\r\n7\r\no world\r\n0\r\nETag: \"t\"\r\n\r\n", true)]
    [InlineData("Transfer-Encoding: chunked", "b\r\nhello world\r\n0\r\n\r\n", false)]
    public void A_request_as_it_comes_is_sent_again(string framing, string body, bool hasTrailers)
    {
        Served.Look($"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}\r\n\r\n{body}", served =>
        {
            var bodies = new ReplayBodies(served.Loop, served.Buffers);
            using var replay = bodies.Lease(served.Client.RequestBody, 1024, 0, null);
            foreach (var taken in new[] { 0, 2, 7, int.MaxValue, int.MaxValue })
            {
                var sink = new Sink(taken);
                var sending = Relay.SendRequestBodyAsync(served, replay, sink);
                Assert.True(Ended(sending).IsNone);
                Assert.Equal("hello world"[..Math.Min(11, taken)], Encoding.ASCII.GetString([.. sink.Got]));
                Assert.Equal(taken == int.MaxValue, sink.IsFinished);
                Assert.Equal(taken == int.MaxValue && hasTrailers, sink.HasTrailers);
                Assert.True(replay.CanReplay);
                replay.Rewind();
            }

            Assert.Equal(11, served.BytesIn);
        });
    }

    private Fault Send(ReplayBody body, Sink sink)
    {
        var sending = Relay.SendRequestBodyAsync(exchange, body, sink);
        for (var i = 0; i < 1000 && !sending.IsCompleted; i++)
        {
            world.WorkDisk();
            world.Loop.Turn(false);
        }

        return Ended(sending);
    }

    private static Fault Ended(LoopTask<Fault> sending)
    {
        Assert.True(sending.IsCompleted);
        return sending.GetAwaiter().GetResult();
    }

    /// <summary>An origin that takes so many bytes and breaks.</summary>
    private sealed class Sink(int most) : BodySink
    {
        public List<byte> Got { get; } = [];

        public bool IsFinished { get; private set; }

        public bool HasTrailers { get; private set; }

        public override Signal Ready { get; } = new();

        public override SinkStatus TryWrite(ReadOnlySpan<byte> piece, out int taken)
        {
            taken = Math.Min(piece.Length, most - Got.Count);
            Got.AddRange(piece[..taken]);
            return taken == piece.Length ? SinkStatus.Done : SinkStatus.Broken;
        }

        public override SinkStatus TryFlush() => SinkStatus.Done;

        public override SinkStatus TryFinish(FieldBlock? trailers)
        {
            IsFinished = true;
            HasTrailers = trailers is not null;
            return SinkStatus.Done;
        }
    }
}
