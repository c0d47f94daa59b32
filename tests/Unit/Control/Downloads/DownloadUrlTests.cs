using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Control.Downloads;

namespace Weir.Tests.Unit.Control.Downloads;

public class DownloadUrlTests
{
    [Theory]
    [InlineData("http://a/x/file.iso", "file.iso")]
    [InlineData("http://a/x/file.iso?version=2#part", "file.iso")]
    [InlineData("http://a/x/two%20words.iso", "two words.iso")]
    [InlineData("http://a", "index.html")]
    [InlineData("http://a/x/", "index.html")]
    [InlineData("http://a/..%2F..%2Fetc%2Fpasswd", ".._.._etc_passwd")]
    [InlineData("http://a/%2E%2E%2Fx", ".._x")]
    [InlineData("http://a/a%5Cb", "a_b")]
    [InlineData("http://a/a%00b%0A%1B[2J", "a_b__[2J")]
    [InlineData("http://a/%20", "index.html")]
    [InlineData("http://a/%E6%BC%A2.iso", "漢.iso")]
    public void A_file_is_called_by_the_end_of_its_url_and_by_no_path(string url, string name) => Assert.Equal(name, DownloadUrl.FileName(new Uri(url)));

    [Theory]
    [InlineData("a")]
    [InlineData("%E6%BC%A2")]
    [InlineData("%F0%9F%98%80")]
    public void A_name_is_as_long_as_the_state_beside_it_allows(string letter)
    {
        var name = DownloadUrl.FileName(new Uri("http://a/" + string.Concat(Enumerable.Repeat(letter, 500))));
        Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(name), DownloadUrl.LongestName - 3, DownloadUrl.LongestName);
        Assert.True(System.Text.Encoding.UTF8.GetByteCount(PartFile.StateOf(name)) <= 255 - ".new".Length);
        Assert.DoesNotContain('\uFFFD', name);
    }

    [Theory]
    [InlineData("ftp://a/b")]
    [InlineData("example.com/file")]
    [InlineData("http://")]
    [InlineData("file:///etc/passwd")]
    [InlineData("")]
    public void What_is_no_url_of_http_is_told(string text)
    {
        Assert.False(DownloadUrl.TryRead(text, out _, out _, out var trouble));
        Assert.Contains($"'{text}'", trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void User_and_password_become_a_field_and_are_no_part_of_the_url()
    {
        Assert.True(DownloadUrl.TryRead("https://me:s%20t@example.com:8443/x?y#z", out var url, out var authorization, out _));
        Assert.Equal(("https://example.com:8443/x?y", "Basic bWU6cyB0"), (url.AbsoluteUri, authorization));
    }

    [Theory]
    [InlineData("/x/a.iso?v=1", "", "http://a/x/a.iso?v=1")]
    [InlineData("/pub/a.iso", "|/mirror", "http://a/pub/a.iso", "http://b/mirror/pub/a.iso")]
    [InlineData("/a.iso", "/x|/y/z", "http://a/x/a.iso", "http://b/y/z/a.iso")]
    [InlineData("/a.iso", "|", "http://a/a.iso", "http://b/a.iso")]
    [InlineData("/", "|", "http://a", "http://b/")]
    [InlineData(null, null, "http://a/a.iso", "http://b/b.iso")]
    [InlineData(null, null, "http://a/a.iso?x=1", "http://b/a.iso")]
    public void Servers_are_asked_with_the_end_that_their_paths_share(string? target, string? prefixes, params string[] urls)
    {
        var shared = DownloadUrl.Shared([.. urls.Select(static u => new Uri(u))]);
        Assert.Equal(target, shared?.Target);
        Assert.Equal(prefixes, shared is { } found ? string.Join('|', found.Prefixes) : null);
    }

    [Theory]
    [InlineData("http://example.com:80/x", "http://example.com")]
    [InlineData("https://example.com:444/x", "https://example.com:444")]
    [InlineData("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080")]
    [InlineData("http://bücher.example/", "http://xn--bcher-kva.example")]
    public void An_origin_is_written_as_an_endpoint_is(string url, string origin) => Assert.Equal(origin, DownloadUrl.Origin(new Uri(url)));

    [Theory]
    [InlineData(8, null, 0, false)]
    [InlineData(1, null, 0, false)]
    [InlineData(64, "1MiB", 100_000, true)]
    public void What_is_made_of_a_plan_is_a_good_configuration(int segments, string? size, long rate, bool hasMirror)
    {
        var plan = new DownloadPlan { Url = new Uri("http://[::1]:8080/a$%7B\"x/f"), Mirrors = hasMirror ? [new Uri("http://127.0.0.1/${HOME}/f")] : [], Segments = segments, SegmentSize = size, Rate = rate };
        var shared = DownloadUrl.Shared([plan.Url, .. plan.Mirrors])!.Value;
        var diagnostics = new Diagnostics();
        var config = ConfigLoader.Read("text", DownloadOrigin.Configuration(plan, plan.Url, shared.Prefixes, "/tmp/a b.sock"), diagnostics, static _ => null);
        var compiled = config is null ? null : new PlanCompiler(new LiveThings(1), "weir-test").Compile(config, diagnostics, 1024);
        Assert.Equal("", diagnostics.ToString());
        Assert.Single(compiled!.Sites);
        var written = config!.Sites[0].Routes[0].Accelerate!;
        Assert.Equal((segments < 2, hasMirror ? "digest" : null), (written.Off, written.SameBy));
        Assert.Equal(hasMirror ? 2 : 1, config.Upstreams[0].Value.Endpoints.Count);
    }

    [Fact]
    public void A_wrong_size_is_a_diagnostic()
    {
        var diagnostics = new Diagnostics();
        Assert.Null(DownloadOrigin.TryStart(new DownloadPlan { Url = new Uri("http://127.0.0.1/f"), SegmentSize = "1" }, new Uri("http://127.0.0.1/f"), diagnostics));
        Assert.Contains("a size from 256KiB to 1GiB", diagnostics.ToString(), StringComparison.Ordinal);
    }
}
