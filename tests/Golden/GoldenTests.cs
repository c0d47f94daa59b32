// Cases: a configuration, a line of dashes, and what it must become: explanations of requests, or diagnostics.
// "@certs@" stands for a folder with certificates (see TestFiles). A line "? METHOD URL [| field]" in the first part is a request to explain. UPDATE_GOLDEN=1 writes what is found.

using System.Text.RegularExpressions;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Control.Explaining;
using Weir.Tests.Support;

namespace Weir.Tests.Golden;

public partial class GoldenTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "Golden", "cases");

    private static readonly Lazy<string> Certificates = new(TestFiles.MakeCertificates);

    public static TheoryData<string> Cases() => [.. Directory.GetFiles(Folder, "*.txt").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_configuration_becomes_what_it_must(string name)
    {
        var path = Path.Combine(Folder, name);
        var parts = File.ReadAllText(path).Split("\n----------\n", 2);
        var lines = parts[0].Split('\n');
        var text = string.Join('\n', lines.Where(l => !l.StartsWith("? ", StringComparison.Ordinal))) + "\n";
        var found = Outcome(text, [.. lines.Where(l => l.StartsWith("? ", StringComparison.Ordinal)).Select(l => l[2..])]);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1") File.WriteAllText(path, parts[0] + "\n----------\n" + found);
        else Assert.Equal(parts.Length > 1 ? parts[1] : "", found);
    }

    [Fact]
    public void The_reference_is_what_the_table_says()
    {
        var path = Path.Combine(Repository.Root, "docs", "reference", "configuration.md");
        Assert.True(File.ReadAllText(path) == ReferenceDocument.Write(), "docs/reference/configuration.md is not current: ./weir schema --markdown > docs/reference/configuration.md");
        var metrics = Path.Combine(Repository.Root, "docs", "reference", "metrics.md");
        var table = "# Metrics\n\nPrometheus, on the admin listener's `/metrics`. A test keeps this page current.\n\n| metric | type | meaning |\n| --- | --- | --- |\n" + string.Concat(Control.Metrics.MetricsPage.All.Select(m => $"| `{m.Name}` | {m.Type} | {m.Help} |\n"));
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1") File.WriteAllText(metrics, table);
        Assert.Equal(table, File.ReadAllText(metrics));
    }

    [Fact]
    public void The_examples_of_the_readme_are_good_configurations()
    {
        foreach (var block in new[] { "README.md", "docs/operations/configuration.md", "docs/operations/tls-upstreams.md", "docs/operations/certificates.md", "docs/operations/compression.md", "docs/operations/caching.md", "docs/operations/integrity.md" }.SelectMany(page => File.ReadAllText(Path.Combine(Repository.Root, page)).Split("```yaml\n").Skip(1)).Select(b => b.Split("```")[0]))
        {
            var diagnostics = new Diagnostics();
            ConfigLoader.Read("README", block.Replace("/var/www", "/tmp", StringComparison.Ordinal), diagnostics, static _ => null);
            Assert.False(diagnostics.HasErrors, diagnostics.ToString());
        }
    }

    [Fact]
    public void The_redirect_of_the_readme_goes_where_it_says()
    {
        var block = File.ReadAllText(Path.Combine(Repository.Root, "README.md")).Split("```yaml\n")[1].Split("```")[0];
        var said = Outcome(block.Replace("/var/www", "/tmp", StringComparison.Ordinal), ["GET http://example.com/old/a?b=1"]);
        Assert.Contains("https://example.com/new/a?b=1", said, StringComparison.Ordinal);
    }

    [Fact]
    public void No_text_makes_the_reader_throw()
    {
        var random = new Random(1);
        var texts = Directory.GetFiles(Folder, "*.txt").Select(f => File.ReadAllText(f).Split("\n----------\n")[0]).ToArray();
        for (var i = 0; i < 4000; i++)
        {
            var text = texts[random.Next(texts.Length)].ToCharArray();
            for (var n = random.Next(1, 6); n > 0 && text.Length > 0; n--) text[random.Next(text.Length)] = "{}[]:,-*&!|>'\"%@` \n\tax0/$#?"[random.Next(27)];
            ConfigLoader.Read("fuzz", new string(text), new Diagnostics(), static _ => null);
        }
    }

    // What is made by chance has no place in a golden case.
    private static string Outcome(string text, string[] requests)
    {
        if (!text.Contains("@certs@", StringComparison.Ordinal)) return Ids().Replace(Found(text, requests), "(an id)");
        return Found(text.Replace("@certs@", Certificates.Value, StringComparison.Ordinal), requests).Replace(Certificates.Value, "@certs@", StringComparison.Ordinal);
    }

    [GeneratedRegex("[0-9a-f]{32}")]
    private static partial Regex Ids();

    private static string Found(string text, string[] requests)
    {
        var diagnostics = new Diagnostics();
        var config = ConfigLoader.Read("weir.yaml", text, diagnostics, static name => name == "NAME" ? "value" : null);
        if (config is not null) new PlanCompiler(new LiveThings(1), "weir-golden").Compile(config, diagnostics, 1024);
        var said = diagnostics.ToString();
        var found = said.Length == 0 ? "" : said + "\n";
        if (config is null || diagnostics.HasErrors) return found;
        if (requests.Length == 0) return found + "good\n";
        foreach (var request in requests)
        {
            var fields = request.Split(" | ");
            var words = fields[0].Split(' ');
            found += $"? {request}\n" + Explanation.Of(config, words[0], words[1], fields[1..], "192.0.2.1", diagnostics);
        }

        // Where these are differs from system to system.
        return found.Replace($"the system's CAs ({string.Join(", ", Engine.Tls.SystemAuthorities.Paths)})", "the system's CAs (where they are)", StringComparison.Ordinal);
    }
}
