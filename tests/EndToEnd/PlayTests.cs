// Scripted plays: varnishtest acts both the client and the origin around the running program.

using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class PlayTests
{
    [Fact]
    public void Every_play_goes_as_written()
    {
        var folder = Path.Combine(Repository.Root, "tests", "EndToEnd", "Plays");
        var plays = Directory.GetFiles(folder, "*.vtc").Order().ToArray();
        Assert.NotEmpty(plays);
        var played = Command.Run("varnishtest", ["-k", "-j", "4", "-t", "30", "-D", $"weir={Repository.Program.File}", "-D", $"plays={folder}", .. plays]);
        var lines = played.Output.Split('\n');
        Assert.True(played.Code == 0, string.Join('\n', lines.Where(static line => line.StartsWith("----", StringComparison.Ordinal) || line.StartsWith('#'))) + played.Error);
        Assert.Equal(plays.Length, lines.Count(static line => line.Contains("passed", StringComparison.Ordinal)));
    }
}
