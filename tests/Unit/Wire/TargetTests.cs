using System.Text;
using CsCheck;
using Weir.Wire.Targets;

namespace Weir.Tests.Unit.Wire;

public class TargetTests
{
    private static readonly string[] Parts = ["/", "a", ".", "..", "%2e", "%2F", "%5c", ";", "%20", "%25", "//"];

    [Theory]
    [InlineData("/a/b", "/a/b", PathVerdict.Plain, null)]
    [InlineData("/", "/", PathVerdict.Plain, null)]
    [InlineData("/a//b/", "/a//b/", PathVerdict.Plain, null)]
    [InlineData("/%61%20b", "/a b", PathVerdict.Plain, null)]
    [InlineData("/a%2fb%5Cc", "/a%2Fb%5Cc", PathVerdict.Plain, null)]
    [InlineData("/a;x=1/b", "/a;x=1/b", PathVerdict.Plain, null)]
    [InlineData("/a.b/..c/...", "/a.b/..c/...", PathVerdict.Plain, null)]
    [InlineData("/a/../b", "/b", PathVerdict.HasDotSegments, "/b")]
    [InlineData("/a/./b", "/a/b", PathVerdict.HasDotSegments, "/a/b")]
    [InlineData("/a/..", "/", PathVerdict.HasDotSegments, "/")]
    [InlineData("/..", "/", PathVerdict.HasDotSegments, "/")]
    [InlineData("/../../x", "/x", PathVerdict.HasDotSegments, "/x")]
    [InlineData("/a/b/../../c%20d", "/c d", PathVerdict.HasDotSegments, "/c%20d")]
    [InlineData("/a/%2e%2E/b", "/b", PathVerdict.HasDotSegments, "/b")]
    [InlineData("/a/.%2e/b", "/b", PathVerdict.HasDotSegments, "/b")]
    [InlineData("/a/b/.", "/a/b/", PathVerdict.HasDotSegments, "/a/b/")]
    [InlineData("/a/b/..", "/a/", PathVerdict.HasDotSegments, "/a/")]
    [InlineData("/%252e%252e/x", "/%2e%2e/x", PathVerdict.Plain, null)]
    [InlineData("/a/..%2fb", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%2e%2e%2Fb", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/x%2f..", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/x%5c..%5cy", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/..;/b", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/..;x=1/b", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%2e%2e%3b/b", null, PathVerdict.Unsafe, null)]
    [InlineData("/a\\b", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%00", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%0d%0a", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%7f", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%2", null, PathVerdict.Unsafe, null)]
    [InlineData("/a/%zz", null, PathVerdict.Unsafe, null)]
    [InlineData("a", null, PathVerdict.Unsafe, null)]
    public void Paths(string raw, string? matched, PathVerdict verdict, string? forwarded)
    {
        var bytes = Encoding.Latin1.GetBytes(raw);
        var room = new byte[bytes.Length + 1];
        Assert.Equal(verdict, TargetPath.Normalize(bytes, room, out var length));
        if (matched is not null) Assert.Equal(matched, Encoding.Latin1.GetString(room, 0, length));
        if (forwarded is null) return;
        var resolved = TargetPath.Resolve(bytes, room);
        Assert.Equal(forwarded, Encoding.Latin1.GetString(room, 0, resolved));
    }

    [Fact]
    public void No_path_climbs_out_and_resolving_again_changes_nothing() =>
        Gen.Int[0, Parts.Length - 1].Select(i => Parts[i]).List[0, 12].Sample(
            parts =>
            {
                var raw = Encoding.ASCII.GetBytes("/" + string.Concat(parts));
                var room = new byte[raw.Length + 1];
                var verdict = TargetPath.Normalize(raw, room, out var length);
                if (verdict == PathVerdict.Unsafe) return;
                Assert.DoesNotContain("/../", Encoding.ASCII.GetString(room, 0, length) + "/");
                var forwarded = verdict == PathVerdict.Plain ? raw : room[..TargetPath.Resolve(raw, room)];
                Assert.Equal(PathVerdict.Plain, TargetPath.Normalize(forwarded, new byte[forwarded.Length + 1], out _));
            },
            iter: 20_000);

    [Theory]
    [InlineData("a.example", true, 9, 0)]
    [InlineData("a.example.", true, 10, 0)]
    [InlineData("a:80", true, 1, 80)]
    [InlineData("a:", true, 1, 0)]
    [InlineData("[::1]:8080", true, 5, 8080)]
    [InlineData("127.0.0.1:1", true, 9, 1)]
    [InlineData("", false, 0, 0)]
    [InlineData(":80", false, 0, 0)]
    [InlineData("a..b", false, 0, 0)]
    [InlineData(".a", false, 0, 0)]
    [InlineData("a%20b", false, 0, 0)]
    [InlineData("a:65536", false, 0, 0)]
    [InlineData("a:-1", false, 0, 0)]
    [InlineData("[::1]x", false, 0, 0)]
    [InlineData("[1.2.3.4]", false, 0, 0)]
    public void Hosts(string authority, bool good, int length, int port)
    {
        Assert.Equal(good, HostName.TrySplit(Encoding.ASCII.GetBytes(authority), out var hostLength, out var found));
        if (good) Assert.Equal((length, port), (hostLength, found));
    }
}
