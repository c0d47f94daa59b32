// Which room may use which. A use that is not listed, and any circle, fails.

using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.Architecture;

public partial class RoomTests
{
    private static readonly Dictionary<string, string[]> May = new()
    {
        ["Wire.Bytes"] = [],
        ["Wire.Fields"] = ["Wire.Bytes"],
        ["Wire.Targets"] = ["Wire.Bytes"],
        ["Wire.Http1"] = ["Wire.Bytes", "Wire.Fields", "Wire.Targets"],
        ["Engine.Loops"] = [],
        ["Engine.Memory"] = [],
        ["Engine.Transports"] = ["Engine.Loops"],
        ["Engine.Exchanges"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Engine.Loops", "Engine.Memory", "Engine.Transports"],
        ["Engine.Disk"] = ["Engine.Loops", "Engine.Memory", "Engine.Exchanges"],
        ["Engine.Http1"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Wire.Targets", "Engine.Loops", "Engine.Memory", "Engine.Transports", "Engine.Exchanges"],
        ["Engine.Observe"] = ["Wire.Bytes", "Wire.Fields", "Engine.Loops", "Engine.Transports", "Engine.Exchanges"],
        ["Engine.Listeners"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Engine.Loops", "Engine.Transports", "Engine.Exchanges", "Engine.Http1", "Engine.Observe"],
        ["Engine.Tls"] = ["Engine.Loops", "Engine.Transports", "Engine.Routing"],
        ["Engine.Routing"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Engine.Transports", "Engine.Exchanges"],
        ["Engine.Balancing"] = ["Wire.Bytes", "Wire.Fields", "Engine.Exchanges"],
        ["Engine.Upstreams"] = ["Engine.Loops", "Engine.Memory", "Engine.Transports", "Engine.Exchanges", "Engine.Http1", "Engine.Observe", "Engine.Balancing"],
        ["Engine.Forwarding"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Engine.Loops", "Engine.Memory", "Engine.Exchanges", "Engine.Disk", "Engine.Upstreams"],
        ["Engine.Mirroring"] = ["Wire.Fields", "Wire.Http1", "Engine.Loops", "Engine.Memory", "Engine.Exchanges", "Engine.Routing", "Engine.Upstreams", "Engine.Observe", "Engine.Forwarding"],
        ["Engine.Acceleration"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Engine.Loops", "Engine.Memory", "Engine.Exchanges", "Engine.Disk", "Engine.Observe", "Engine.Upstreams", "Engine.Forwarding", "Engine.Policies"],
        ["Engine.Caching"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Wire.Targets", "Engine.Loops", "Engine.Memory", "Engine.Exchanges", "Engine.Routing", "Engine.Answers", "Engine.Disk", "Engine.Observe", "Engine.Upstreams", "Engine.Forwarding", "Engine.Mirroring", "Engine.Acceleration", "Engine.Policies"],
        ["Engine.Policies"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Wire.Targets", "Engine.Loops", "Engine.Memory", "Engine.Exchanges", "Engine.Observe", "Engine.Forwarding", "Engine.Upstreams"],
        ["Engine.Answers"] = ["Wire.Bytes", "Wire.Fields", "Wire.Http1", "Wire.Targets", "Engine.Loops", "Engine.Exchanges", "Engine.Http1", "Engine.Disk"],
    };

    [Fact]
    public void Rooms_use_only_what_is_listed()
    {
        var wrong = new List<string>();
        foreach (var (file, room) in Files())
        {
            if (!May.TryGetValue(room, out var allowed)) continue;
            foreach (Match use in UsePattern().Matches(File.ReadAllText(file)))
            {
                var used = string.Join('.', use.Groups[1].Value.Split('.').Take(2));
                if (May.ContainsKey(used) && used != room && !allowed.Contains(used)) wrong.Add($"{Path.GetRelativePath(Repository.Root, file)} uses {used}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void The_disk_tier_of_the_cache_knows_nothing_of_http()
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "src", "Engine", "Caching", "Disk")))
        {
            foreach (Match use in UsePattern().Matches(File.ReadAllText(file)))
                Assert.Contains(use.Groups[1].Value, new[] { "Engine.Loops", "Engine.Memory", "Engine.Exchanges", "Engine.Disk" });
        }
    }

    [Fact]
    public void Every_room_is_listed_and_none_goes_in_a_circle()
    {
        var rooms = Files().Select(f => f.Room).Where(r => r.StartsWith("Wire.", StringComparison.Ordinal) || r.StartsWith("Engine.", StringComparison.Ordinal)).ToHashSet();
        Assert.Empty(rooms.Except(May.Keys));
        foreach (var room in May.Keys) Assert.False(Reaches(room, room, []), $"{room} reaches itself");
    }

    [Fact]
    public void Every_file_says_what_it_is_and_every_namespace_is_its_path()
    {
        foreach (var (file, _) in Files())
        {
            var text = File.ReadAllText(file);
            var name = Path.GetRelativePath(Repository.Root, file);
            Assert.True(text.StartsWith("// ", StringComparison.Ordinal), $"{name} does not say what it is");
            if (NamespacePattern().Match(text) is { Success: true } match) Assert.Equal("Weir." + Path.GetDirectoryName(Path.GetRelativePath(Path.Combine(Repository.Root, "src"), file))!.Replace('/', '.'), match.Groups[1].Value);
            Assert.DoesNotContain("TODO", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Only_the_program_touches_the_process()
    {
        foreach (var (file, room) in Files().Where(f => !f.Room.StartsWith("Cli", StringComparison.Ordinal)))
        {
            var text = File.ReadAllText(file);
            foreach (var forbidden in new[] { "Environment.Exit", "PosixSignalRegistration", "Console.Write", "Directory.SetCurrentDirectory", "setuid", "umask" })
                Assert.False(text.Contains(forbidden, StringComparison.Ordinal), $"{room}: {Path.GetFileName(file)} uses {forbidden}");
        }
    }

    [Fact]
    public void Every_document_the_readme_points_to_exists()
    {
        foreach (var page in new[] { "README.md", "CONTRIBUTING.md", "ARCHITECTURE.md" })
        {
            foreach (Match link in LinkPattern().Matches(File.ReadAllText(Path.Combine(Repository.Root, page))))
                Assert.True(File.Exists(Path.Combine(Repository.Root, link.Groups[1].Value)), $"{page} points to {link.Groups[1].Value}");
        }
    }

    [Fact]
    public void Every_test_the_security_model_names_exists()
    {
        foreach (Match test in TestPattern().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "security", "model.md"))))
            Assert.True(Path.Exists(Path.Combine(Repository.Root, test.Groups[1].Value)), $"the security model names {test.Groups[1].Value}");
    }

    [Fact]
    public void Whoever_runs_it_is_told_of_every_administrative_path()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations", "running.md"));
        var paths = PathPattern().Matches(File.ReadAllText(Path.Combine(Repository.Root, "src", "Control", "Admin", "AdminHandler.cs")));
        Assert.True(paths.Count >= 7, "the pattern finds no paths any more");
        foreach (Match path in paths) Assert.Contains($"`{path.Groups[1].Value} {path.Groups[2].Value}`", page, StringComparison.Ordinal);
        var upstreams = UpstreamPathPattern().Matches(File.ReadAllText(Path.Combine(Repository.Root, "src", "Control", "Admin", "UpstreamsHandler.cs")));
        Assert.Equal(4, upstreams.Count);
        foreach (Match path in upstreams) Assert.Contains($"`{path.Groups[1].Value} {path.Groups[2].Value}`", page, StringComparison.Ordinal);
        var certificates = CertificatePathPattern().Matches(File.ReadAllText(Path.Combine(Repository.Root, "src", "Control", "Admin", "CertificatesHandler.cs")));
        Assert.Equal(3, certificates.Count);
        foreach (Match path in certificates) Assert.Contains($"`{path.Groups[1].Value} {path.Groups[2].Value}`", page, StringComparison.Ordinal);
        var caches = CachePathPattern().Matches(File.ReadAllText(Path.Combine(Repository.Root, "src", "Control", "Admin", "CachesHandler.cs")));
        Assert.Equal(4, caches.Count);
        foreach (Match path in caches) Assert.Contains($"`{path.Groups[1].Value} {path.Groups[2].Value}`", page, StringComparison.Ordinal);
    }

    private static bool Reaches(string from, string to, HashSet<string> seen) =>
        May[from].Any(next => next == to || (seen.Add(next) && Reaches(next, to, seen)));

    private static IEnumerable<(string File, string Room)> Files()
    {
        var source = Path.Combine(Repository.Root, "src");
        return Directory.GetFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal))
            .Select(f => (f, string.Join('.', Path.GetRelativePath(source, f).Split('/')[..^1].Take(2))))
            .Select(f => (f.f, f.Item2.Contains('.', StringComparison.Ordinal) ? f.Item2 : f.Item2 + " (root)"));
    }

    [GeneratedRegex(@"^using (?:\w+ = )?Weir\.([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex UsePattern();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespacePattern();

    [GeneratedRegex("`(tests/[^`]+)`")]
    private static partial Regex TestPattern();

    [GeneratedRegex("case \\(\"(GET|POST)\", \"(/[a-z]+)\"\\)")]
    private static partial Regex PathPattern();

    [GeneratedRegex(@"^//   (\w+) +(/upstreams/\S+)", RegexOptions.Multiline)]
    private static partial Regex UpstreamPathPattern();

    [GeneratedRegex(@"^//   (\w+) +(/certificates\S*)", RegexOptions.Multiline)]
    private static partial Regex CertificatePathPattern();

    [GeneratedRegex(@"^//   (\w+) +(/caches\S*)", RegexOptions.Multiline)]
    private static partial Regex CachePathPattern();

    [GeneratedRegex(@"\]\(([^)#:]+)\)")]
    private static partial Regex LinkPattern();
}
