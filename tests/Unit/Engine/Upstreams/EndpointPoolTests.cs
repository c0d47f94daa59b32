using CsCheck;
using Weir.Engine.Http1;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Upstreams;

public class EndpointPoolTests
{
    [Fact]
    public void The_freshest_is_taken_first()
    {
        var origins = new Origins();
        var made = origins.Connect(3);
        foreach (var i in new[] { 1, 0, 2 }) origins.GiveBack(made[i]);
        Assert.Equal([made[2], made[0], made[1]], new[] { origins.Take(), origins.Take(), origins.Take() });
        Assert.Null(origins.Take());
        Assert.True(made[0].IsReused);
    }

    [Fact]
    public void No_more_are_kept_than_may_be_idle()
    {
        var origins = new Origins(new UpstreamSettings { IdleConnections = 2 });
        foreach (var connection in origins.Connect(5)) origins.GiveBack(connection);
        Assert.Equal((2, 2, 0), (origins.Pool.Count, origins.Endpoint.Connections, origins.Endpoint.Active));
    }

    [Fact]
    public void What_is_not_to_be_used_again_is_closed()
    {
        var origins = new Origins();
        var (connection, far) = origins.Connect();
        origins.Pool.ExchangeEnded(connection, reusable: false, origins.Loop);
        origins.Wait(10);
        Assert.Equal((0, 0, 0), (origins.Pool.Count, origins.Endpoint.Connections, origins.Endpoint.Active));
        Assert.True(far.Gone.IsSet);
    }

    [Theory]
    [InlineData(1_000, true)]
    [InlineData(1_100, false)]
    public void One_that_has_waited_too_long_is_not_taken(int wait, bool taken)
    {
        var origins = new Origins(new UpstreamSettings { KeepAlive = 1_000 });
        var (connection, _) = origins.Connect();
        origins.GiveBack(connection);
        origins.Wait(wait);
        Assert.Equal(taken ? connection : null, origins.Take());
        Assert.Equal(taken ? 1 : 0, origins.Endpoint.Connections);
    }

    [Fact]
    public void One_that_has_grown_too_old_is_not_taken_however_busy()
    {
        var origins = new Origins(new UpstreamSettings { KeepAlive = 1_000, ConnectionAge = 3_000 });
        var (connection, _) = origins.Connect();
        for (var age = 0; age < 2_500; age += 500)
        {
            origins.GiveBack(connection);
            origins.Wait(500);
            Assert.Same(connection, origins.Take());
        }

        origins.GiveBack(connection);
        origins.Wait(600);
        Assert.Null(origins.Take());
        Assert.Equal((0, 0), (origins.Endpoint.Connections, origins.Endpoint.Active));
    }

    [Theory]
    [InlineData("ends")]
    [InlineData("speaks")]
    [InlineData("breaks")]
    public void One_whose_origin_does_something_is_not_taken(string what)
    {
        var origins = new Origins();
        var (quiet, _) = origins.Connect();
        var (connection, far) = origins.Connect();
        for (var i = 0; i < 2; i++)
        {
            origins.GiveBack(quiet);
            origins.GiveBack(connection);
            if (i == 0) Assert.Equal([connection, quiet], new[] { origins.Take(), origins.Take() });
        }

        if (what == "speaks") far.TryWrite("HTTP/1.1 408 Request Timeout\r\n\r\n"u8);
        else far.Close(reset: what == "breaks");
        origins.Wait(50);
        Assert.Same(quiet, origins.Take());
        Assert.Null(origins.Take());
        Assert.Equal(1, origins.Endpoint.Connections);
    }

    [Fact]
    public void A_sweep_closes_what_is_dead_or_too_old_and_keeps_the_order()
    {
        var origins = new Origins(new UpstreamSettings { KeepAlive = 1_000 });
        var made = origins.Connect(4);
        var (dead, far) = origins.Connect();
        origins.GiveBack(made[0]);
        origins.Wait(900);
        foreach (var connection in new[] { made[1], dead, made[2], made[3] }) origins.GiveBack(connection);
        far.Close();
        origins.Wait(200);
        origins.Pool.Sweep(origins.Loop.Now);
        Assert.Equal((3, 3), (origins.Pool.Count, origins.Endpoint.Connections));
        Assert.Equal([made[3], made[2], made[1]], new[] { origins.Take(), origins.Take(), origins.Take() });
    }

    [Fact]
    public void An_endpoint_that_has_left_keeps_nothing_not_even_what_comes_back_later()
    {
        var origins = new Origins();
        var made = origins.Connect(3);
        origins.GiveBack(made[0]);
        origins.GiveBack(made[1]);
        origins.Pool.Leave(origins.Loop);
        Assert.Equal((0, 1, 1), (origins.Pool.Count, origins.Endpoint.Connections, origins.Endpoint.Active));
        origins.GiveBack(made[2]); // Nobody sweeps this pool any more.
        Assert.Equal((0, 0, 0), (origins.Pool.Count, origins.Endpoint.Connections, origins.Endpoint.Active));
    }

    [Fact]
    public void However_it_is_used_the_books_are_right() =>
        // 0: connect, 1: take, 2 and 3: give back the n-th lent, whole or not, 4: wait, 5: sweep.
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 10]).List[0, 40].Sample(
            steps =>
            {
                var origins = new Origins(new UpstreamSettings { IdleConnections = 3, KeepAlive = 400, ConnectionAge = 2_000 });
                var lent = new List<ClientConnection>();
                foreach (var (what, which) in steps)
                {
                    if (what == 0) lent.Add(origins.Connect().Connection);
                    else if (what == 1 && origins.Take() is { } taken) lent.Add(taken);
                    else if (what == 4) origins.Wait(which * 40);
                    else if (what == 5) origins.Pool.Sweep(origins.Loop.Now);
                    else if (what is 2 or 3 && lent.Count > 0)
                    {
                        origins.Pool.ExchangeEnded(lent[which % lent.Count], reusable: what == 2, origins.Loop);
                        lent.RemoveAt(which % lent.Count);
                    }

                    Assert.Equal(lent.Count, lent.Distinct().Count());
                    Assert.InRange(origins.Pool.Count, 0, 3);
                    Assert.Equal((lent.Count, lent.Count + origins.Pool.Count), (origins.Endpoint.Active, origins.Endpoint.Connections));
                }
            },
            iter: 100);
}
