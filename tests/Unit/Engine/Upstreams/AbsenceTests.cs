using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Upstreams;

public sealed class AbsenceTests
{
    private readonly Absence absence = new();

    [Fact]
    public void Only_what_changes_is_news()
    {
        var told = new List<(Away, string?)>();
        absence.Changed = (why, reason) => told.Add((why, reason));
        Assert.True(absence.Mark(Away.Unhealthy, "503"));
        Assert.False(absence.Mark(Away.Unhealthy, "500"));
        Assert.True(absence.Mark(Away.Drained, "drained"));
        Assert.Equal(Away.Unhealthy | Away.Drained, absence.Now);
        Assert.Equal("500", absence.ReasonOf(Away.Unhealthy));
        Assert.True(absence.Clear(Away.Unhealthy));
        Assert.False(absence.Clear(Away.Unhealthy));
        Assert.Equal(Away.Drained, absence.Now);
        Assert.Null(absence.ReasonOf(Away.Unhealthy));
        Assert.Equal([(Away.Unhealthy, "503"), (Away.Drained, "drained"), (Away.Unhealthy, null)], told);
    }

    [Fact]
    public void What_ends_by_time_ends_at_its_time_and_nothing_else_does()
    {
        absence.Mark(Away.Ejected, "e", end: 100);
        absence.Mark(Away.Unreachable, "u", end: 200);
        absence.Mark(Away.Drained, "d");
        Assert.Equal(Away.None, absence.EndWhatIsOver(99));
        Assert.Equal(Away.Ejected, absence.EndWhatIsOver(100));
        Assert.Equal(Away.None, absence.EndWhatIsOver(150));
        absence.Mark(Away.Unreachable, "again", end: 300);
        Assert.Equal(Away.None, absence.EndWhatIsOver(200));
        Assert.Equal(Away.Unreachable, absence.EndWhatIsOver(300));
        Assert.Equal(Away.Drained, absence.Now);
        Assert.Equal(Away.None, absence.EndWhatIsOver(long.MaxValue - 1));
    }
}
