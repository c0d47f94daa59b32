// How many connections an answer is given: worlds that are as fast as they are, looked at as a transfer looks at them.

using Weir.Engine.Acceleration;

namespace Weir.Tests.Unit.Engine.Acceleration;

public class PaceTests
{
    private const long Length = 200_000_000;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(32)]
    public void Where_each_brings_as_much_as_the_first_all_that_are_allowed_are_used(int most)
    {
        var world = new Pipe(most, static active => active * 1_000_000);
        world.Run(5_000);
        Assert.Equal(most, world.Pace.Target);
    }

    [Theory]
    [InlineData(1_000_000, 8)]
    [InlineData(25_000_000, 4)]
    public void Where_much_is_left_all_are_there_once_the_first_no_longer_grows(int rate, int expected)
    {
        var world = new Pipe(8, active => active * rate);
        world.Run(Pace.Every);
        Assert.Equal(1, world.Pace.Target);
        world.Run(Pace.Every);
        Assert.Equal(expected, world.Pace.Target);
    }

    [Fact]
    public void One_that_still_grows_by_itself_is_given_time()
    {
        var rate = 50_000.0;
        var world = new Pipe(8, active => rate *= 1.1);
        world.Pace.Answered(400);
        world.Run(1_500);
        Assert.Equal(1, world.Pace.Target);
        world.Run(500);
        Assert.True(world.Pace.Target > 1); // Long enough.
    }

    [Fact]
    public void Where_the_line_is_full_a_step_is_taken_back()
    {
        var world = new Pipe(8, static _ => 5_000_000);
        Assert.Equal(8, world.Run(1_500));
        Assert.Equal(1, world.Pace.Target);
        Assert.Equal(1, world.Run(4_000));
        Assert.Equal(8, world.Run(2_000)); // Five seconds later again,
        Assert.Equal(1, world.Run(8_000)); // and then after ten.
    }

    [Fact]
    public void What_is_nearly_through_is_left_alone()
    {
        var world = new Pipe(8, static active => active * 500_000_000);
        world.Run(2_000);
        Assert.Equal(1, world.Pace.Target);
    }

    [Fact]
    public void A_client_that_never_waits_has_all_it_can_take()
    {
        var world = new Pipe(8, static active => active * 1_000_000) { IsDry = false };
        world.Run(10_000);
        Assert.Equal(1, world.Pace.Target);
    }

    [Fact]
    public void An_origin_that_is_asked_too_much_is_asked_less_for_longer_each_time()
    {
        var world = new Pipe(8, static active => active * 1_000_000);
        world.Run(2_000);
        Assert.Equal(8, world.Pace.Target);
        world.Pace.Throttle(world.Now, 8, world.Now + 1_000);
        Assert.Equal(7, world.Pace.Target);
        world.Pace.Throttle(world.Now, 7, world.Now + 1_000); // Of the same moment.
        Assert.Equal(6, world.Pace.Target);
        world.Run(900);
        Assert.Equal(6, world.Pace.Target);
        world.Run(2_000);
        Assert.Equal(8, world.Pace.Target);
        world.Pace.Throttle(world.Now, 8, world.Now + 1_000);
        world.Run(1_800);
        Assert.Equal(7, world.Pace.Target);
    }

    [Fact]
    public void There_is_always_one()
    {
        var pace = new Pace(0, 8, 1 << 24, 1 << 18);
        for (var i = 0; i < 20; i++) pace.Throttle(i, 1, i + 1_000);
        Assert.Equal(1, pace.Target);
    }

    [Fact]
    public void Segments_last_for_many_round_trips_and_are_bounded()
    {
        var world = new Pipe(4, static active => active * 1_000_000);
        world.Pace.Answered(50);
        world.Run(3_000);
        Assert.InRange(world.Pace.SegmentSize(1L << 40, 1L << 40), 3_900_000, 4_100_000); // Four seconds.
        Assert.Equal(1_000_000, world.Pace.SegmentSize(4_000_000, 1L << 40)); // A share of the memory,
        Assert.Equal(500_000, world.Pace.SegmentSize(1L << 40, 2_000_000)); // and of what is left,
        Assert.Equal(1 << 18, world.Pace.SegmentSize(1L << 40, 1)); // and never next to nothing.
        var far = new Pipe(4, static active => active * 1_000_000);
        far.Pace.Answered(400);
        far.Run(20_000);
        Assert.InRange(far.Pace.SegmentSize(1L << 40, 1L << 40), 9_500_000, 10_500_000); // 25 round trips.
    }

    private sealed class Pipe(int most, Func<int, double> rate)
    {
        private double received;

        public Pace Pace { get; } = new(0, most, 1 << 24, 1 << 18);

        public long Now { get; private set; }

        public bool IsDry { get; init; } = true;

        /// <returns>The most there were.</returns>
        public int Run(long milliseconds)
        {
            var seen = 0;
            for (var until = Now + milliseconds; Now < until; Now += 50)
            {
                received += rate(Pace.Target) * 50 / 1000;
                if (IsDry) Pace.Dry(30);
                if ((Now + 50) % Pace.Every == 0) Pace.Look(Now + 50, (long)received, Pace.Target, Length - (long)received);
                seen = Math.Max(seen, Pace.Target);
            }

            return seen;
        }
    }
}
