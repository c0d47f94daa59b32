// The laboratory as a command.

using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class LabTests
{
    [Fact]
    public void It_measures_prints_and_draws()
    {
        var folder = Directory.CreateTempSubdirectory("weir").FullName;
        var picture = Path.Combine(folder, "lab.svg");
        var (code, output, error) = WeirProcess.Run("lab", "--size", "2MB", "--rtt", "100ms", "--loss", "2%", "--svg", picture);
        Assert.True(code == 0, error + output);
        Assert.Contains("a file of 2 MB, seed 1", output, StringComparison.Ordinal);
        Assert.Contains("100 ms there and back, 2 % lost", output, StringComparison.Ordinal);
        Assert.StartsWith("<svg ", File.ReadAllText(picture), StringComparison.Ordinal);
        var document = JsonDocument.Parse(WeirProcess.Run("lab", "--size", "2MB", "--repeat", "3", "--json").Output).RootElement;
        Assert.All(document.GetProperty("measurements").EnumerateArray(), static m => Assert.Equal(3, m.GetProperty("runs").GetArrayLength()));
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("--loss", "60%")]
    [InlineData("--rtt", "200")]
    [InlineData("--rate", "2MB")]
    [InlineData("--size", "0B")]
    [InlineData("--seed", "-1")]
    [InlineData("--congestion", "bbr")]
    public void What_it_cannot_measure_is_said(string option, string value)
    {
        var (code, _, error) = WeirProcess.Run("lab", option, value);
        Assert.Equal(2, code);
        Assert.Contains(option, error, StringComparison.Ordinal);
        Assert.Contains(value, error, StringComparison.Ordinal);
    }
}
