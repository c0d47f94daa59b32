using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Weir.Engine.Observe;

namespace Weir.Tests.Unit.Engine.Observe;

public class ErrorLogTests
{
    private long now = 1_000;

    [Fact]
    public void A_line_that_repeats_is_written_once_and_then_counted()
    {
        var (log, lines) = Make();
        log.Warn("origin", "refused");
        log.Warn("origin", "refused");
        log.Drain();
        Assert.Equal(["warn origin: refused"], lines());
        log.Warn("origin", "refused");
        now += 9_999;
        log.Drain();
        Assert.Empty(lines());
        now++;
        log.Drain();
        Assert.Equal(["warn origin: refused (repeated 2 times)"], lines());
        now += 60_000;
        log.Drain();
        Assert.Empty(lines());
        log.Warn("origin", "refused");
        log.Drain();
        Assert.Equal(["warn origin: refused"], lines());
    }

    [Fact]
    public void What_is_done_on_purpose_is_told_each_time()
    {
        var (log, lines) = Make();
        for (var i = 0; i < 3; i++) log.Deed(LogLevel.Info, "reload", "done");
        log.Drain();
        Assert.Equal(3, lines().Length);
    }

    [Fact]
    public void Another_area_or_text_is_another_line()
    {
        var (log, lines) = Make();
        log.Error("a", "x");
        log.Error("b", "x");
        log.Error("a", "y");
        log.Drain();
        Assert.Equal(["error a: x", "error b: x", "error a: y"], lines());
    }

    [Fact]
    public void Only_lines_of_the_level_and_graver_ones_are_written()
    {
        foreach (var level in Enum.GetValues<LogLevel>())
        {
            var (log, lines) = Make();
            log.Level = level;
            log.Debug("a", "0");
            log.Info("a", "1");
            log.Warn("a", "2");
            log.Error("a", "3");
            log.Drain();
            Assert.Equal(Enum.GetValues<LogLevel>().Length - (int)level, lines().Length);
        }
    }

    [Fact]
    public void A_text_of_several_lines_is_written_as_one()
    {
        var (log, lines) = Make();
        log.Error("bug", "first\r\nsecond\nthird");
        log.Drain();
        Assert.Equal(["error bug: first second third"], lines());
    }

    [Fact]
    public void Lines_beyond_those_that_may_wait_are_dropped_and_counted()
    {
        var (log, lines) = Make();
        for (var i = 0; i < 5_000; i++) log.Error("a", $"line {i}");
        Assert.Equal(904, log.Dropped);
        log.Drain();
        Assert.Equal(4_096, lines().Length);
        log.Error("a", "there is room again");
        log.Drain();
        Assert.Equal(["error a: there is room again"], lines());
    }

    [Fact]
    public void Every_line_is_told_or_counted_and_none_is_written_twice_within_its_time() =>
        // (text, time until the next): a negative time is a look of the writer.
        Gen.Select(Gen.Int[0, 4], Gen.Long[-3_000, 6_000]).List[0, 60].Sample(
            steps =>
            {
                var (log, lines) = Make();
                var told = new List<string>();
                foreach (var (text, wait) in steps)
                {
                    log.Info("a", $"text {text}");
                    if (wait < 0) log.Drain();
                    now += Math.Max(0, wait);
                }

                log.Drain();
                log.Drain(last: true);
                told.AddRange(lines());
                foreach (var same in steps.GroupBy(s => s.Item1))
                {
                    var own = told.Where(l => l.StartsWith($"info a: text {same.Key}", StringComparison.Ordinal)).ToArray();
                    Assert.Equal(same.Count(), own.Sum(l => Regex.Match(l, @"\(repeated (\d+) times\)$") is { Success: true } m ? int.Parse(m.Groups[1].Value) : 1));
                }
            },
            iter: 1_000,
            threads: 1);

    private (ErrorLog Log, Func<string[]> Lines) Make()
    {
        var target = new MemoryStream();
        string[] Lines()
        {
            var text = Encoding.UTF8.GetString(target.ToArray());
            target.SetLength(0);
            return [.. text.Split('\n')[..^1].Select(line => Regex.Replace(line, @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", ""))];
        }

        return (new ErrorLog(new StreamTarget(target), () => now), Lines);
    }
}
