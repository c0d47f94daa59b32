using System.Text;
using Weir.Engine.Caching.Rules;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class InvalidationTests
{
    [Theory]
    [InlineData("POST", KnownMethod.Post, 200, true)]
    [InlineData("PUT", KnownMethod.Put, 201, true)]
    [InlineData("DELETE", KnownMethod.Delete, 204, true)]
    [InlineData("PATCH", KnownMethod.Patch, 303, true)]
    [InlineData("M-SEARCH", KnownMethod.Other, 200, true)]
    [InlineData("POST", KnownMethod.Post, 400, false)]
    [InlineData("POST", KnownMethod.Post, 500, false)]
    [InlineData("POST", KnownMethod.Post, 100, false)]
    [InlineData("GET", KnownMethod.Get, 200, false)]
    [InlineData("HEAD", KnownMethod.Head, 200, false)]
    [InlineData("OPTIONS", KnownMethod.Options, 200, false)]
    [InlineData("TRACE", KnownMethod.Trace, 200, false)]
    [InlineData("PROPFIND", KnownMethod.Other, 207, false)]
    [InlineData("propfind", KnownMethod.Other, 207, true)] // Methods have case: this is another.
    [InlineData("QUERY", KnownMethod.Other, 200, false)]
    public void Unsafe_methods_that_succeeded(string name, KnownMethod method, int status, bool expected) =>
        Assert.Equal(expected, Invalidation.Applies(method, Encoding.ASCII.GetBytes(name), status));

    [Theory]
    [InlineData("/x", "/x")]
    [InlineData("/x?y#z", "/x?y")]
    [InlineData("/x?", "/x?")]
    [InlineData("/a/../b/./c", "/b/c")]
    [InlineData("/../../b", "/b")]
    [InlineData("d", "/a/b/d")]
    [InlineData("d/e?f", "/a/b/d/e?f")]
    [InlineData("../d", "/a/d")]
    [InlineData("../../../d", "/d")]
    [InlineData(".", "/a/b/")]
    [InlineData("?q", "/a/b/c?q")]
    [InlineData("?q=/../x", "/a/b/c?q=/../x")]
    [InlineData("#f", "/a/b/c")]
    [InlineData("http://front.example/x", "/x")]
    [InlineData("HTTP://FRONT.example:80/x?y", "/x?y")]
    [InlineData("http://front.example./x", "/x")]
    [InlineData("http://front.example", "/")]
    [InlineData("http://front.example?q", "/?q")]
    [InlineData("//front.example/x", "/x")]
    [InlineData("https://front.example/x", null)]
    [InlineData("http://other.example/x", null)]
    [InlineData("//other.example/x", null)]
    [InlineData("http://front.example:8080/x", null)]
    [InlineData("http://front.example.evil.example/x", null)]
    [InlineData("http://user@front.example/x", null)]
    [InlineData("http://front.example@evil.example/x", null)]
    [InlineData("http:///x", null)]
    [InlineData("http:x", null)]
    [InlineData("javascript:x", null)]
    [InlineData("/a b", null)]
    [InlineData("\\\\front.example\\x", null)]
    [InlineData("", null)]
    public void References_of_the_same_origin(string reference, string? expected) => Assert.Equal(expected, Resolve(false, 0, reference));

    [Theory]
    [InlineData(true, 0, "https://front.example:443/x", "/x")]
    [InlineData(true, 0, "https://front.example/x", "/x")]
    [InlineData(true, 0, "http://front.example:443/x", null)]
    [InlineData(false, 8080, "http://front.example:8080/x", "/x")]
    [InlineData(false, 8080, "http://front.example/x", null)]
    [InlineData(false, 80, "http://front.example/x", "/x")]
    public void Ports_and_schemes_are_the_origins(bool isSecure, int port, string reference, string? expected) => Assert.Equal(expected, Resolve(isSecure, port, reference));

    private static string? Resolve(bool isSecure, int port, string reference)
    {
        var bytes = Encoding.ASCII.GetBytes(reference);
        var into = new byte["/a/b/c".Length + bytes.Length + 1];
        if (!Invalidation.TryResolve(new TargetBase(isSecure, "front.example"u8, port, "/a/b/c"u8), bytes, into, out var path, out var length)) return null;
        Assert.True(path > 0 && into[0] == '/' && (path == length || into[path] == '?'));
        return Encoding.ASCII.GetString(into, 0, length);
    }
}
