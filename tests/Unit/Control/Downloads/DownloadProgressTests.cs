using Weir.Control.Admin;
using Weir.Control.Downloads;

namespace Weir.Tests.Unit.Control.Downloads;

public class DownloadProgressTests
{
    [Fact]
    public void It_tells_how_far_how_fast_and_how_long_still()
    {
        var progress = new DownloadProgress();
        Assert.Equal("[......................]   0%  0 B of 100 MiB  0 B/s  1 connection", progress.Line(new DownloadMoment(0, 100 << 20, 1, 0), TimeSpan.Zero, 69));
        Assert.Equal("[#######.....................]  25%  25.0 MiB of 100 MiB  12.5 MiB/s  8 connections  7.5×  0:06 left", progress.Line(new DownloadMoment(25 << 20, 100 << 20, 8, 7.5), TimeSpan.FromSeconds(2), 120));
    }

    [Fact]
    public void A_length_that_nobody_knows_is_not_told()
    {
        var progress = new DownloadProgress();
        progress.Line(new DownloadMoment(0, -1, 1, 0), TimeSpan.Zero, 80);
        Assert.Equal("1.00 MiB  1.00 MiB/s  1 connection", progress.Line(new DownloadMoment(1 << 20, -1, 1, 0), TimeSpan.FromSeconds(1), 80));
    }

    [Fact]
    public void It_fits_every_width()
    {
        var progress = new DownloadProgress();
        for (var width = 0; width < 200; width++) Assert.True(progress.Line(new DownloadMoment(width << 20, 1L << 40, 8, 7.5), TimeSpan.FromSeconds(width), width).Length <= Math.Max(0, width - 1));
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "0.98 KiB")]
    [InlineData(1024, "1.00 KiB")]
    [InlineData(10_239, "10.0 KiB")]
    [InlineData(102_400, "100 KiB")]
    [InlineData(1_048_064, "1.00 MiB")]
    [InlineData(long.MaxValue, "8.00 EiB")]
    public void Amounts_have_three_figures(long bytes, string text) => Assert.Equal(text, Amounts.Bytes(bytes));

    [Theory]
    [InlineData(0, "0:00")]
    [InlineData(59.9, "0:59")]
    [InlineData(61, "1:01")]
    [InlineData(3600, "1:00:00")]
    [InlineData(360_000, "100:00:00")]
    public void Times_have_minutes_and_hours_where_there_are_some(double seconds, string text) => Assert.Equal(text, Amounts.Time(TimeSpan.FromSeconds(seconds)));
}
