using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Unit.Engine.Transports;

public class TlsTransportTests
{
    private static readonly Weather Wide = new() { MostDelay = 1, MostDelivered = 1 << 20, Window = 1 << 20, SplitsWrites = false };
    private static readonly Weather Narrow = new() { MostDelay = 1, MostDelivered = 1000, Window = 1000, SplitsWrites = false };

    private readonly byte[] room = new byte[1 << 17];

    public static TheoryData<bool> Both => [false, true];

    [Theory]
    [MemberData(nameof(Both))]
    public void An_end_that_is_told_is_an_end(bool openSsl)
    {
        var world = Make(Wide, openSsl);
        world.Ends[0].TryWrite("last"u8);
        world.Ends[0].Close();
        world.World.Run(100);
        Assert.Equal(4, world.Ends[1].TryRead(room).Count);
        Assert.Equal(IoStatus.End, world.Ends[1].TryRead(room).Status);
        Assert.True(world.Ends[1].Gone.IsSet);
        Assert.False(world.Ends[1].IsBroken);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void An_end_that_is_not_told_is_a_break(bool openSsl)
    {
        var world = Make(Wide, openSsl);
        world.Ends[0].TryWrite("last"u8);
        world.Beneath(0).Close();
        world.World.Run(100);
        Assert.Equal(4, world.Ends[1].TryRead(room).Count);
        Assert.Equal(IoStatus.Reset, world.Ends[1].TryRead(room).Status);
        Assert.True(world.Ends[1].IsBroken);
        Assert.Equal(IoStatus.Reset, world.Ends[1].TryWrite("x"u8).Status);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void After_the_peers_end_writes_go_on(bool openSsl)
    {
        var world = Make(Wide, openSsl);
        Assert.True(world.Ends[0].ShutdownWrite());
        world.World.Run(100);
        Assert.Equal(IoStatus.End, world.Ends[1].TryRead(room).Status);
        Assert.Equal(6, world.Ends[1].TryWrite("answer"u8).Count);
        world.World.Run(100);
        Assert.Equal(6, world.Ends[0].TryRead(room).Count);
        Assert.Equal(IoStatus.Reset, world.Ends[0].TryWrite("more"u8).Status);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void Of_a_record_that_finds_no_room_all_but_the_last_byte_are_taken(bool openSsl)
    {
        var world = Make(Narrow, openSsl);
        var bytes = new byte[8000];
        Random.Shared.NextBytes(bytes);
        Assert.Equal(7999, world.Ends[0].TryWrite(bytes).Count);
        Assert.False(world.Ends[0].Writable.IsSet);
        Assert.Equal(IoStatus.WouldBlock, world.Ends[0].TryWrite(bytes.AsSpan(7999)).Status);
        var (got, last) = (0, 0);
        for (var i = 0; i < 100 && got < 8000; i++)
        {
            world.World.Run(10);
            got += world.Ends[1].TryRead(room.AsSpan(got)).Count;
            if (last == 0) last = world.Ends[0].TryWrite(bytes.AsSpan(7999)).Count;
        }

        Assert.Equal(1, last);
        Assert.True(room.AsSpan(0, 8000).SequenceEqual(bytes));
        world.World.Run(10);
        Assert.Equal(IoStatus.WouldBlock, world.Ends[1].TryRead(room).Status);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void Where_there_is_room_many_records_leave_in_one_call(bool openSsl)
    {
        var world = Make(Wide, openSsl);
        Assert.Equal(5 * TlsEngine.MostWritten, world.Ends[0].TryWrite(new byte[100], new byte[200_000], new byte[2]).Count);
        Assert.Equal(10, world.Ends[0].TryWrite(new byte[10]).Count);
        var got = 0;
        for (var i = 0; i < 10; i++)
        {
            world.World.Run(100);
            got += world.Ends[1].TryRead(room).Count;
        }

        Assert.Equal((5 * TlsEngine.MostWritten) + 10, got);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void A_batch_that_finds_no_room_is_taken_but_for_its_last_byte(bool openSsl)
    {
        var world = Make(Narrow, openSsl);
        var bytes = new byte[60_000];
        Random.Shared.NextBytes(bytes);
        Assert.Equal(59_999, world.Ends[0].TryWrite(bytes).Count);
        var (got, last) = (0, 0);
        for (var i = 0; i < 1000 && (got < 60_000 || last == 0); i++)
        {
            world.World.Run(10);
            got += world.Ends[1].TryRead(room.AsSpan(got, 60_000 - got + 1)).Count;
            if (last == 0) last = world.Ends[0].TryWrite(bytes.AsSpan(59_999)).Count;
        }

        Assert.Equal((60_000, 1), (got, last));
        Assert.True(room.AsSpan(0, 60_000).SequenceEqual(bytes));
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void What_nobody_asked_for_is_seen_and_messages_without_data_are_not(bool openSsl)
    {
        var world = Make(Wide, openSsl, new TlsWhims { Tickets = 0.9 });
        Assert.True(openSsl || world.Ends[0].Readable.IsSet);
        Assert.False(world.Ends[0].HasUnasked);
        Assert.False(world.Ends[0].Readable.IsSet);
        world.Ends[1].TryWrite("unasked"u8);
        world.World.Run(100);
        Assert.True(world.Ends[0].HasUnasked);
        Assert.True(world.Ends[0].HasUnasked);
        Assert.Equal(7, world.Ends[0].TryRead(room).Count);
        Assert.False(world.Ends[0].HasUnasked);
        world.Ends[1].ShutdownWrite();
        world.World.Run(100);
        Assert.True(world.Ends[0].HasUnasked);
        world.Ends[0].Close();
        Assert.True(world.Ends[0].HasUnasked);
    }

    [Fact]
    public void What_came_with_the_end_of_the_handshake_is_read_without_another_event()
    {
        var world = new TlsWorld(1, Wide);
        var ledger = new TlsLedger(world.World, new TlsWhims());
        var client = new SimulatedTlsClient(ledger).Connect(world.Beneath(0));
        var server = new SimulatedTlsServer(ledger).Accept(world.Beneath(1));
        Assert.Equal(TlsStatus.WantRead, client.Handshake());
        world.World.Run(10);
        Assert.Equal(TlsStatus.WantRead, server.Handshake());
        world.World.Run(10);
        Assert.Equal(TlsStatus.Done, client.Handshake());
        Assert.Equal(4, new TlsTransport(world.Beneath(0), client).TryWrite("asks"u8).Count);
        world.World.Run(10);
        Assert.Equal(TlsStatus.Done, server.Handshake());
        Assert.False(world.Beneath(1).Readable.IsSet);
        var end = new TlsTransport(world.Beneath(1), server);
        Assert.True(end.Readable.IsSet);
        Assert.Equal(4, end.TryRead(room).Count);
    }

    // What is left of a record cannot be taken back: whoever closes then has broken off.
    [Theory]
    [MemberData(nameof(Both))]
    public void Who_closes_within_a_record_does_not_end_well(bool openSsl)
    {
        var world = Make(Narrow, openSsl);
        Assert.Equal(4999, world.Ends[0].TryWrite(new byte[5000]).Count);
        Assert.True(world.Ends[0].ShutdownWrite());
        world.Ends[0].Close();
        IoResult result;
        do
        {
            world.World.Run(10);
            result = world.Ends[1].TryRead(room);
        }
        while (result.Status is IoStatus.Some or IoStatus.WouldBlock);
        Assert.Equal(IoStatus.Reset, result.Status);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void An_end_without_room_is_told_later(bool openSsl)
    {
        var world = Make(Narrow, openSsl);
        var sent = 0;
        while (world.Ends[0].TryWrite(new byte[1]).Count == 1) sent++;
        while (sent < 1_000_000 && !world.Ends[0].Writable.IsSet)
        {
            world.World.Run(10);
            _ = world.Ends[1].TryRead(room.AsSpan(0, 1));
        }

        Assert.Equal(1, world.Ends[0].TryWrite(new byte[1]).Count);
        while (world.Beneath(0).TryWrite(new byte[1]).Count == 1)
        {
            // The room that is left is another's: what is behind it no longer matters.
        }

        Assert.False(world.Ends[0].ShutdownWrite());
        Assert.False(world.Ends[0].ShutdownWrite());
    }

    [Fact]
    public void Everything_is_freed_once_and_asked_nothing_afterwards()
    {
        var world = new TlsWorld(1, Wide);
        var ledger = world.Agree(new TlsWhims());
        foreach (var end in world.Ends)
        {
            end.Close();
            end.Close(reset: true);
            end.ShutdownWrite();
            Assert.Equal(IoStatus.Reset, end.TryRead(room).Status);
            Assert.Equal(IoStatus.Reset, end.TryWrite(room).Status);
            Assert.True(end.HasUnasked);
        }

        Assert.Equal(0, ledger.Live);
    }

    [Fact]
    public void An_alert_breaks_both_ends()
    {
        var world = new TlsWorld(1, Wide);
        var ledger = world.Agree(new TlsWhims());
        ledger.Whims = new TlsWhims { Alerts = 1 };
        Assert.Equal(IoStatus.Reset, world.Ends[0].TryWrite("x"u8).Status);
        world.World.Run(10);
        Assert.Equal(IoStatus.Reset, world.Ends[1].TryRead(room).Status);
        foreach (var end in world.Ends) end.Close();
        Assert.Equal(0, ledger.Live);
    }

    // close_notify in the midst of a handshake is neither its end nor a good one.
    [Fact]
    public void Who_says_the_end_before_a_handshake_is_done_has_broken_it_off()
    {
        var world = new TlsWorld(1, Wide);
        var (client, server) = OpenSslPair.Begin(world);
        Assert.Equal(TlsStatus.WantRead, client.Handshake());
        world.World.Run(10);
        Assert.Equal(TlsStatus.WantRead, server.Handshake());
        world.Beneath(0).TryWrite([21, 3, 3, 0, 2, 1, 0]);
        world.World.Run(10);
        Assert.Equal(TlsStatus.Failed, server.Handshake());
        Assert.Equal(TlsTrouble.Broken, server.Trouble);
        client.Free();
        server.Free();
    }

    private static TlsWorld Make(Weather weather, bool openSsl, TlsWhims? whims = null)
    {
        var world = new TlsWorld(1, weather);
        if (openSsl) OpenSslPair.Agree(world, 0);
        else world.Agree(whims ?? new TlsWhims());
        world.World.Run(100);
        return world;
    }
}
