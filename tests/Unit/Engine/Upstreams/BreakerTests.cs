using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Upstreams;

public sealed class BreakerTests
{
    private static readonly BreakerSettings Settings = new(ErrorPercent: 50, Within: 10_000, AtLeast: 4, OpenFor: 5_000, OfUpstream: true, OfEndpoints: false);

    private readonly Breaker breaker = new();

    [Fact]
    public void It_opens_at_its_share_of_enough_attempts()
    {
        Assert.Null(Tell(true, 0));
        Assert.Null(Tell(true, 0));
        Assert.Null(Tell(false, 0));
        Assert.True(Tell(false, 0));
        Assert.False(breaker.Admits(4_999));
        Assert.Equal(5_000, breaker.OpenFor(0));
    }

    [Fact]
    public void Then_one_attempt_a_second_is_made_until_one_succeeds()
    {
        Open();
        Assert.True(breaker.Admits(5_000));
        Assert.False(breaker.Admits(5_000));
        Assert.False(breaker.Admits(5_999)); // Whose client left is followed by another.
        Assert.True(breaker.Admits(6_000));
        Assert.False(Tell(true, 6_001));
        Assert.True(breaker.Admits(6_001));
        Assert.True(breaker.Admits(6_001));
        Assert.Null(Tell(false, 6_002)); // What failed before it opened is forgotten.
    }

    [Fact]
    public void A_trial_that_fails_keeps_it_open()
    {
        Open();
        Assert.Null(Tell(false, 100)); // Begun before it opened.
        Assert.True(breaker.Admits(5_000));
        Assert.True(Tell(false, 5_001));
        Assert.False(breaker.Admits(10_000));
        Assert.True(breaker.Admits(10_001));
    }

    [Fact]
    public void What_is_older_than_the_window_does_not_count()
    {
        for (var i = 0; i < 3; i++) Tell(false, 0);
        Assert.Null(Tell(false, 20_000));
        Assert.True(breaker.Admits(20_000));
    }

    private void Open()
    {
        for (var i = 0; i < 4; i++) Tell(false, 0);
        Assert.True(breaker.IsOpen);
    }

    private bool? Tell(bool isGood, long now) => breaker.Tell(isGood, now, Settings);
}
