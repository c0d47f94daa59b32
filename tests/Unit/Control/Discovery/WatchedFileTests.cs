using Weir.Control.Configuration;
using Weir.Control.Discovery;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Discovery;

public sealed class WatchedFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;

    private string Path => System.IO.Path.Combine(folder, "api.yaml");

    [Theory]
    [InlineData("- http://127.0.0.1:1\n- { url: \"http://127.0.0.2:1\", weight: 0 }\n", null)]
    [InlineData("[\"http://127.0.0.1:1\", {\"url\": \"http://127.0.0.2:1\", \"weight\": 1000}]", null)]
    [InlineData("[]", null)]
    [InlineData("", "FILE:1:1: error: expected a list of endpoints, found nothing")]
    [InlineData("# nothing\n", "FILE:1:1: error: expected a list of endpoints, found nothing")]
    [InlineData("http://127.0.0.1:1", "FILE:1:1: error: expected a list of endpoints, found 'http://127.0.0.1:1'")]
    [InlineData("endpoints: [\"http://127.0.0.1:1\"]", "FILE:1:1: error: expected a list of endpoints, found a map")]
    [InlineData("- http://127.0.0.1:1\n- { url: \"http://127.0.0.2:1\", weihgt: 1 }\n", "FILE:2:32: error: unknown key 'weihgt' in endpoint; did you mean 'weight'?")]
    [InlineData("- http://127.0.0.1:1\n- { url: \"http://127.0.0.2:1\", weight: 1001 }\n", "FILE:2:40: error: expected a number from 0 to 1000, found '1001'")]
    [InlineData("- http://127.0.0.1:1\n- http://127.0.0.1:1\n", "FILE:2:3: error: http://127.0.0.1:1/ stands twice; give it a weight instead")]
    [InlineData("- { weight: 2 }\n", "FILE:1:3: error: an endpoint needs a url")]
    [InlineData("- http://${HOME}:1\n", "FILE:1:3: error: ")] // Data of somebody else: the environment is none of its business.
    public void A_file_is_a_list_as_in_endpoints_or_wrong_at_a_place(string text, string? wrong)
    {
        File.WriteAllText(Path, text);
        var diagnostics = new Diagnostics();
        var found = EndpointFile.Read(Path, Position.None, diagnostics);
        Assert.Equal(wrong is null, found is not null);
        if (wrong is not null) Assert.StartsWith(wrong.Replace("FILE", Path, StringComparison.Ordinal), diagnostics.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_told_where_it_is_named()
    {
        string Said(string path)
        {
            var diagnostics = new Diagnostics();
            Assert.Null(EndpointFile.Read(path, new Position("weir.yaml", 3, 7), diagnostics));
            return diagnostics.ToString();
        }

        Assert.Equal($"weir.yaml:3:7: error: there is no file '{Path}'", Said(Path));
        Assert.Equal($"weir.yaml:3:7: error: '{folder}' is a folder, not a file of endpoints", Said(folder));
        File.WriteAllText(Path, new string('#', YamlTree.MostBytes + 1));
        Assert.Equal($"weir.yaml:3:7: error: '{Path}' is larger than 8 MiB", Said(Path));
        File.WriteAllBytes(Path, [(byte)'-', (byte)' ', 0xFF]);
        Assert.Equal($"{Path}:1:3: error: this is not UTF-8: save the file as UTF-8", Said(Path));
        File.WriteAllLines(Path, Enumerable.Range(0, Membership.Most + 1).Select(i => $"- http://127.{i >> 16}.{(i >> 8) & 255}.{i & 255}:1"));
        Assert.Equal($"{Path}:1:1: error: an upstream has at most 10000 endpoints; these are 10001", Said(Path));
    }

    [Fact]
    public void An_upstream_may_have_a_file_alone_which_is_read_with_the_configuration()
    {
        File.WriteAllText(Path, "- http://127.0.0.1:1\n- { url: \"http://127.0.0.2:1\", weight: 5 }\n");
        using var running = new Running(Configuration());
        Assert.Equal(["127.0.0.1:1 1", "127.0.0.2:1 5"], Endpoints(running));
        File.WriteAllText(Path, "- http://127.0.0.1:1\n- 7\n");
        var outcome = running.Proxy.Reload();
        Assert.False(outcome.Done);
        Assert.Contains($"{Path}:2:3: error: expected a URL", outcome.Text, StringComparison.Ordinal);
        File.Delete(Path);
        outcome = running.Proxy.Reload();
        Assert.False(outcome.Done);
        Assert.Contains($"weir.yaml:5:28: error: there is no file '{Path}'", outcome.Text, StringComparison.Ordinal);
        Assert.Equal(["127.0.0.1:1 1", "127.0.0.2:1 5"], Endpoints(running));
    }

    [Fact]
    public void A_change_is_taken_and_what_is_broken_keeps_the_last_good_list_and_says_so()
    {
        File.WriteAllText(Path, "- http://127.0.0.1:1\n- http://127.0.0.2:1\n");
        using var running = new Running(Configuration());
        var stays = running.Proxy.Engine.Plan!.Upstreams[0].Endpoints[0];
        var source = running.Proxy.Memberships.Values.Single().Sources[0];
        Assert.Equal($"file {Path}", source.Name);

        File.WriteAllText(Path, "- { url: \"http://127.0.0.1:1\", weight: 3 }\n- http://127.0.0.3:1\n");
        Eventually.Holds(() => Endpoints(running).SequenceEqual(["127.0.0.1:1 3", "127.0.0.3:1 1"]), () => string.Join(", ", Endpoints(running)));
        Assert.Same(stays, running.Proxy.Engine.Plan!.Upstreams[0].Endpoints[0]);

        File.WriteAllText(Path, "- http://127.0.0.1:1\n- { url: 7 }\n");
        Eventually.Holds(() => source.Failures == 1, () => "the broken file is not seen");
        Assert.StartsWith($"{Path}:2:10: expected a URL", source.Trouble, StringComparison.Ordinal);
        Assert.Equal(["127.0.0.1:1 3", "127.0.0.3:1 1"], Endpoints(running));

        // Another file in its place, and then a link, as where a folder is mounted: both are seen.
        var next = System.IO.Path.Combine(folder, "next");
        File.WriteAllText(next, "- http://127.0.0.4:1\n");
        File.Move(next, Path, overwrite: true);
        Eventually.Holds(() => Endpoints(running).SequenceEqual(["127.0.0.4:1 1"]), () => string.Join(", ", Endpoints(running)));
        Assert.Null(source.Trouble);
        File.WriteAllText(next, "- http://127.0.0.5:1\n");
        File.Delete(Path);
        File.CreateSymbolicLink(Path, next);
        Eventually.Holds(() => Endpoints(running).SequenceEqual(["127.0.0.5:1 1"]), () => string.Join(", ", Endpoints(running)));

        File.Delete(Path);
        Eventually.Holds(() => source.Trouble is not null, () => "the missing file is not seen");
        Assert.EndsWith($"there is no file '{Path}'", source.Trouble, StringComparison.Ordinal);
        Assert.Equal(["127.0.0.5:1 1"], Endpoints(running));
        Assert.Equal(0, running.Proxy.Reloads.Done);
    }

    // As where Kubernetes mounts a ConfigMap: a link to a file through a link to a folder, and only that one is switched.
    [Fact]
    public void A_link_further_up_that_is_switched_brings_another_file_though_it_looks_the_same()
    {
        void Write(string name, int host)
        {
            var file = System.IO.Path.Combine(Directory.CreateDirectory(System.IO.Path.Combine(folder, name)).FullName, "api.yaml");
            File.WriteAllText(file, $"- http://127.0.0.{host}:1\n");
            File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch.AddSeconds(1));
        }

        Write("..first", 1);
        Write("..second", 2);
        var data = System.IO.Path.Combine(folder, "..data");
        Directory.CreateSymbolicLink(data, "..first");
        File.CreateSymbolicLink(Path, System.IO.Path.Combine("..data", "api.yaml"));
        using var running = new Running(Configuration());
        Assert.Equal(["127.0.0.1:1 1"], Endpoints(running));
        Directory.CreateSymbolicLink(data + "_tmp", "..second");
        Assert.Equal(0, Command.Run("mv", ["-T", data + "_tmp", data], folder, TimeSpan.FromSeconds(20)).Code);
        Eventually.Holds(() => Endpoints(running).SequenceEqual(["127.0.0.2:1 1"]), () => string.Join(", ", Endpoints(running)));
        Assert.Equal(0, running.Proxy.Memberships.Values.Single().Sources[0].Failures);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static string[] Endpoints(Running running) => [.. running.Proxy.Memberships.Values.Single().Seats.Select(s => $"{s.Endpoint.Name} {s.Endpoint.Weight}")];

    private string Configuration() => $$"""
        listen: "127.0.0.1:0"
        loops: 1
        error_log: { target: /dev/null }
        upstreams:
          api: { discover: { file: "{{Path}}" } }
        sites: [{ proxy: api }]
        """;
}
