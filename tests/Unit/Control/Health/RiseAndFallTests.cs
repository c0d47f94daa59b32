using Weir.Control.Health;

namespace Weir.Tests.Unit.Control.Health;

public class RiseAndFallTests
{
    // Checks from left to right, + passed and - failed; and what each brings about: F a fall, R a rise.
    [Theory]
    [InlineData("+", ".")]
    [InlineData("-", "F")]
    [InlineData("-+", "F.")]
    [InlineData("-++", "F.R")]
    [InlineData("+---", "...F")]
    [InlineData("+--+---", "......F")]
    [InlineData("+---+-++", "...F...R")]
    [InlineData("+----++---", "...F..R..F")]
    [InlineData("---+++", "F...R.")]
    public void So_many_in_a_row_decide_and_the_first_of_all_does_alone(string checks, string turns)
    {
        var memory = default(RiseAndFall);
        var found = string.Concat(checks.Select(c => memory.Take(c == '+', rise: 2, fall: 3) switch { Turn.Rise => 'R', Turn.Fall => 'F', _ => '.' }));
        Assert.Equal(turns, found);
    }

    [Fact]
    public void One_is_enough_where_one_is_asked_for()
    {
        var memory = default(RiseAndFall);
        foreach (var passed in new[] { true, false, true, false })
        {
            memory.Take(passed, rise: 1, fall: 1);
            Assert.Equal(passed, memory.IsHealthy);
            Assert.Equal(1, memory.InARow);
        }
    }

    [Fact]
    public void Before_the_first_check_it_is_healthy() => Assert.True(default(RiseAndFall).IsHealthy);
}
