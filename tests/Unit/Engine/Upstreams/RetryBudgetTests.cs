using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Upstreams;

public sealed class RetryBudgetTests
{
    private readonly RetryBudget budget = new(2);

    [Fact]
    public void Few_requests_may_all_be_attempted_again()
    {
        Assert.Equal(100, Take(1_000, 0));
        Assert.Equal(1, budget.Refused);
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(100_000)]
    public void In_an_outage_no_more_than_the_share_is_attempted_again(int perSecond)
    {
        var (retried, requests) = (0, 0);
        for (var now = 0L; now < 60_000; now += 100)
        {
            for (var i = 0; i < perSecond / 10; i++)
            {
                budget.Begin(i % 2);
                requests++;
            }

            retried += Take(perSecond, now);
        }

        Assert.InRange(retried, (requests * 0.2) - 1, (requests * 0.2) + 100 + (10 * 60));
    }

    [Fact]
    public void What_was_not_needed_long_ago_is_not_saved_up()
    {
        for (var i = 0; i < 100_000; i++) budget.Begin(0);
        Take(1, 0);
        Assert.InRange(Take(100_000, 60_000), 90, 110 + 60); // e^-6 of 20,000 is 50.
    }

    // Each loop reads its clock once a turn: of two that ask in turn, one is always a little behind.
    [Fact]
    public void Loops_whose_clocks_differ_are_given_no_time_twice()
    {
        var retried = 0;
        for (var now = 0L; now < 10_000; now += 5)
        {
            for (var i = 0; i < 100; i++) retried += Take(1, now + (i % 2 * 4));
        }

        Assert.InRange(retried, 100, 200);
    }

    private int Take(int most, long now)
    {
        var taken = 0;
        while (taken < most && budget.TryTake(now, 20)) taken++;
        return taken;
    }
}
