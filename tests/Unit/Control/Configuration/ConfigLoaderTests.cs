using Weir.Control.Configuration;

namespace Weir.Tests.Unit.Control.Configuration;

public class ConfigLoaderTests
{
    [Fact]
    public void A_broken_file_of_a_folder_hides_nothing_of_the_others_and_is_not_asked_for()
    {
        var said = Load(
            ("10.yaml", "listen: \":80\"\nupstreams: { a: \"http://127.0.0.1:1\" }\nsites: [{ proxy: {a} }}\n"),
            ("20.yaml", "timeouts: { idle: 5 }\nsites: [{ hosts: [b], proxy: defined-in-the-broken-one }]\n"),
            ("30.yaml", "- a list\n"));
        Assert.Equal(3, said.Length);
        Assert.StartsWith("10.yaml:3:", said[0], StringComparison.Ordinal);
        Assert.Equal("20.yaml:1:19: error: expected a duration such as 250ms, 5s, 2h, or off, found '5' (a unit is missing)", said[1]);
        Assert.Equal("30.yaml:1:1: error: expected a map of settings, found a list", said[2]);
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_told_beside_the_mistakes_of_the_others()
    {
        var said = Load(("10.yaml", null), ("20.yaml", "loops: 0\n"));
        Assert.Equal(2, said.Length);
        Assert.Contains("10.yaml: error: cannot be read", said[0], StringComparison.Ordinal);
        Assert.Equal("20.yaml:1:8: error: expected a number from 1 to 1024, found '0'", said[1]);
    }

    [Fact]
    public void Hidden_files_of_a_folder_are_not_read()
    {
        var said = Load((".#10-a.yaml", null), (".hidden.yaml", "nonsense"), ("20.yaml", "loops: 0\nlisten: \":80\"\nsites: [{ respond: 200 }]\n"));
        Assert.Equal(["20.yaml:1:8: error: expected a number from 1 to 1024, found '0'"], said);
    }

    [Fact]
    public void What_is_not_utf_8_is_told_with_its_place()
    {
        var file = Path.GetTempFileName();
        File.WriteAllBytes(file, [.. "listen: \":80\"\nvia: a"u8, 0xE9, .. "b\n"u8]);
        var diagnostics = new Diagnostics();
        Assert.Null(ConfigLoader.Load(file, diagnostics));
        Assert.Equal($"{file}:2:7: error: this is not UTF-8: save the file as UTF-8", diagnostics.ToString());
        File.Delete(file);
    }

    [Theory]
    [InlineData("256B", "16B", true)]
    [InlineData("128KiB", "64KiB", true)]
    [InlineData("255B", "16B", false)]
    [InlineData("131073", "16B", false)]
    [InlineData("256B", "15", false)]
    [InlineData("256B", "65537B", false)]
    public void What_a_head_may_hold_has_bounds(string head, string target, bool isGood)
    {
        var diagnostics = new Diagnostics();
        Assert.Equal(isGood, ConfigLoader.Read("w", $"listen: \":80\"\nlimits: {{ head: {head}, target: {target} }}\nsites: [{{ respond: 200 }}]\n", diagnostics) is not null);
    }

    // A text of null is a link to nowhere.
    private static string[] Load(params (string Name, string? Text)[] files)
    {
        var folder = Directory.CreateTempSubdirectory("weir-config-").FullName;
        try
        {
            foreach (var (name, text) in files)
            {
                if (text is null) File.CreateSymbolicLink(Path.Combine(folder, name), "nowhere");
                else File.WriteAllText(Path.Combine(folder, name), text);
            }

            var diagnostics = new Diagnostics();
            Assert.Null(ConfigLoader.Load(folder, diagnostics));
            return [.. diagnostics.All.Select(d => d.ToString().Replace(folder + "/", "", StringComparison.Ordinal))];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
