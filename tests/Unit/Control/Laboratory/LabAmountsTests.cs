using Weir.Control.Laboratory;

namespace Weir.Tests.Unit.Control.Laboratory;

public class LabAmountsTests
{
    [Theory]
    [InlineData("200ms", 0.2)]
    [InlineData("1.5s", 1.5)]
    [InlineData("60s", 60.0)]
    [InlineData("50us", 0.00005)]
    [InlineData("61s", null)]
    [InlineData("200", null)]
    [InlineData("-1s", null)]
    [InlineData("ms", null)]
    public void Times_are_read(string text, double? expected) => Same(expected, LabAmounts.Time(text));

    [Theory]
    [InlineData("1%", 0.01)]
    [InlineData("0.05%", 0.0005)]
    [InlineData("50%", 0.5)]
    [InlineData("50.1%", null)]
    [InlineData("0.01", null)]
    public void Shares_are_read(string text, double? expected) => Same(expected, LabAmounts.Share(text, 0.5));

    [Theory]
    [InlineData("2MB/s", 2e6)]
    [InlineData("16Mbit/s", 2e6)]
    [InlineData("64KiB/s", 65536.0)]
    [InlineData("off", 0.0)]
    [InlineData("2MB", null)]
    [InlineData("1B/s", null)]
    public void Rates_are_read(string text, double? expected) => Same(expected, LabAmounts.Rate(text));

    [Theory]
    [InlineData("800MB", 8e8)]
    [InlineData("1GiB", 1073741824.0)]
    [InlineData("100GB", 1e11)]
    [InlineData("101GB", null)]
    [InlineData("0B", null)]
    public void Sizes_are_read(string text, double? expected) => Same(expected, LabAmounts.Size(text, 1, 1e11));

    [Theory]
    [InlineData("6/h", 1 / 600.0)]
    [InlineData("0.5/min", 1 / 120.0)]
    [InlineData("off", 0.0)]
    [InlineData("6", null)]
    [InlineData("0/h", null)]
    public void Frequencies_are_read(string text, double? expected) => Same(expected, LabAmounts.Frequency(text));

    private static void Same(double? expected, double? found)
    {
        Assert.Equal(expected is null, found is null);
        if (expected is { } number) Assert.Equal(number, found!.Value, Math.Abs(number) * 1e-12);
    }
}
