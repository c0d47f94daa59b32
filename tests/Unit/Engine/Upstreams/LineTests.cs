using System.Diagnostics;
using CsCheck;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Upstreams;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Upstreams;

public class LineTests
{
    private const int Ranks = 3;

    private readonly Loop loop = new(new ManualPoller());

    [Fact]
    public void As_many_wait_as_may()
    {
        var line = new Line(1);
        Assert.True(line.TryJoin(new Ticket(loop), 0, 2));
        Assert.True(line.TryJoin(new Ticket(loop), 0, 2));
        Assert.False(line.TryJoin(new Ticket(loop), 0, 2));
        Assert.False(new Line(1).TryJoin(new Ticket(loop), 0, 0));
        Assert.Equal(2, line.Length);
    }

    [Fact]
    public void A_call_that_is_late_is_nobodys()
    {
        var (line, ticket) = (new Line(1), new Ticket(loop));
        line.TryJoin(ticket, 0, 1);
        line.Changed(forAll: true);
        Assert.True(line.Leave(ticket));
        line.TryJoin(ticket, 0, 1); // It waits anew before the call has arrived.
        loop.Turn(mayWait: false);
        Assert.False(ticket.Turn.IsSet);
        line.Changed(forAll: true);
        loop.Turn(mayWait: false);
        Assert.True(ticket.Turn.IsSet);
    }

    [Fact]
    public void A_call_while_an_earlier_one_is_on_its_way_arrives()
    {
        var (line, ticket) = (new Line(1), new Ticket(loop));
        for (var i = 0; i < 3; i++)
        {
            line.TryJoin(ticket, 0, 1);
            line.Changed(forAll: true);
            if (i < 2) line.Leave(ticket);
        }

        loop.Turn(mayWait: false);
        Assert.True(ticket.Turn.IsSet);
    }

    // A line of those who cannot use what there is has a turn for each of them, not a search.
    [Fact]
    public void A_long_line_of_which_nobody_can_use_what_there_is_has_soon_tried()
    {
        const int Many = 50_000;
        var line = new Line(1);
        var tickets = Enumerable.Range(0, Many).Select(_ => new Ticket(loop)).ToArray();
        foreach (var ticket in tickets) line.TryJoin(ticket, 0, Many);
        var since = Stopwatch.StartNew();
        line.Changed(forAll: true);
        foreach (var ticket in tickets)
        {
            Assert.Equal(Ticket.Called, ticket.State);
            line.Failed(ticket, line.Changes);
            line.Pass(forAll: true);
        }

        Assert.False(line.HasAnyoneToCall);
        Assert.InRange(since.ElapsedMilliseconds, 0, 1_500);
    }

    // Against a list that is searched from the front.
    [Fact]
    public void It_is_the_first_of_the_first_rank_that_has_not_tried_since()
    {
        var step = Gen.Select(Gen.Int[0, 5], Gen.Int[0, 7], Gen.Int[0, Ranks - 1]);
        step.List[0, 60].Sample(
            steps =>
            {
                var line = new Line(Ranks);
                var tickets = Enumerable.Range(0, 8).Select(_ => new Ticket(loop)).ToArray();
                var model = new Model();
                foreach (var (what, who, rank) in steps) Step(line, tickets, model, what, who, rank);
            },
            iter: 3_000);
    }

    private static void Step(Line line, Ticket[] tickets, Model model, int what, int who, int rank)
    {
        var (ticket, place) = (tickets[who], model.Of(who));
        switch (what)
        {
            case 0 when place is null:
                Assert.Equal(model.Places.Count < 6, line.TryJoin(ticket, rank, 6));
                if (model.Places.Count < 6) model.Places.Add(new Place(who, rank));
                break;
            case 1:
                line.Changed(forAll: rank > 0);
                model.Changes++;
                model.Call(rank > 0);
                break;
            case 2:
                line.Pass(forAll: rank > 0);
                if (!model.Places.Exists(p => p.IsCalled)) model.Call(rank > 0);
                break;
            case 3 when place is { IsCalled: true }:
                var seen = line.Changes - rank; // Something may have come since it began to try.
                line.Failed(ticket, seen);
                (place.IsCalled, place.TriedAt) = (false, seen);
                break;
            case 4 when place is not null:
                Assert.Equal(place.IsCalled, line.Leave(ticket));
                model.Places.Remove(place);
                break;
        }

        Assert.Equal(model.Places.Count, line.Length);
        Assert.Equal(model.Places.Count(p => p.Rank == 0), line.LengthOfFirstRank);
        Assert.Equal(model.Changes, line.Changes);
        for (var i = 0; i < tickets.Length; i++)
        {
            var expected = model.Of(i) is not { } known ? Ticket.Out : known.IsCalled ? Ticket.Called : Ticket.Queued;
            Assert.Equal(expected, tickets[i].State);
        }
    }

    private sealed record Place(int Who, int Rank)
    {
        public bool IsCalled { get; set; }

        public long TriedAt { get; set; } = -1;
    }

    private sealed class Model
    {
        public List<Place> Places { get; } = [];

        public long Changes { get; set; }

        public Place? Of(int who) => Places.Find(p => p.Who == who);

        public void Call(bool forAll)
        {
            var next = Places.OrderBy(p => p.Rank).FirstOrDefault(p => (forAll || p.Rank == 0) && !p.IsCalled && p.TriedAt < Changes);
            if (next is not null) next.IsCalled = true;
        }
    }
}
