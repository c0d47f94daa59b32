// What can be wrong with the coding of bodies although every value is right.

using Weir.Engine.Policies.Compression;

namespace Weir.Control.Configuration;

internal static class CodingChecks
{
    public static void Check(SiteConfig site, Diagnostics diagnostics)
    {
        if (site.Compress is { } compress) Check(compress, diagnostics);
    }

    public static void Check(SiteConfig site, RouteConfig route, Diagnostics diagnostics)
    {
        if (route.Compress is { } compress) Check(compress, diagnostics);
        if (route.Compress is { Off: false, Dictionaries: { Off: false } own } && CacheConfig.Of(route.Cache, site.Cache) is null && !diagnostics.IsTold(route, "cache")) diagnostics.Error(own.At, "only kept answers are dictionaries, or compressed by one: dictionaries need cache");
        if (route.ResponseBody is { Accept.Count: > 0 } && (route.Compress ?? site.Compress) is { Off: false, Dictionaries.Off: false }) diagnostics.Warn(diagnostics.Where(route.ResponseBody, "accept"), "what comes with a coding is no dictionary, nor compressed by one: accept is against dictionaries");
        var isProxied = route.Proxy is not null || diagnostics.IsTold(route, "proxy");
        if (route.RequestBody is { } request)
        {
            if (!isProxied) diagnostics.Error(diagnostics.Where(route, "request_body"), "only a route with proxy sends requests on: request_body means nothing here");
            Check(request, diagnostics);
        }

        if (route.ResponseBody is not { } response) return;
        if (!isProxied) diagnostics.Error(diagnostics.Where(route, "response_body"), "only a route with proxy has responses of other servers: response_body means nothing here");
        if (response is { Decompress: false, Accept.Count: 0 } && !diagnostics.IsFlawed(response)) diagnostics.Warn(response.At, "response_body does nothing: write decompress: true, or accept");
        CheckTwice(response.Accept, response, "accept", diagnostics);
    }

    private static void Check(CompressConfig compress, Diagnostics diagnostics)
    {
        CheckTwice(compress.Codings, compress, "codings", diagnostics);
        if (compress is { Off: false, Dictionaries: { Off: false } dictionaries } && compress.Codings is { Count: > 0 } codings && !codings.Contains("zstd") && !codings.Contains("br")) diagnostics.Error(dictionaries.At, "dictionaries are for zstd and br: none of them is in codings");
        foreach (var level in compress.Levels)
        {
            if (!Codings.TryFind(System.Text.Encoding.ASCII.GetBytes(level.Name), out var coding)) continue;
            CheckLevel(coding, level.Value, level.At, diagnostics);
            if (compress.Codings.Count > 0 && !diagnostics.IsTold(compress, "codings") && !compress.Codings.Contains(level.Name)) diagnostics.Warn(level.At, $"{level.Name} is not one of codings: its level means nothing");
        }
    }

    private static void Check(RequestBodyConfig body, Diagnostics diagnostics)
    {
        if (body is { Decompress: true, Compress: not null }) diagnostics.Error(diagnostics.Where(body, "compress"), "a body is decompressed or compressed, not both");
        if (body is { Decompress: false, Compress: null } && !diagnostics.IsFlawed(body)) diagnostics.Warn(body.At, "request_body does nothing: write decompress: true, or compress");
        CheckTwice(body.Codings, body, "codings", diagnostics);
        if (body.Compress is null || body.Level is not { } level) return;
        CheckLevel(Codings.Parse(body.Compress), level, diagnostics.Where(body, "level"), diagnostics);
    }

    private static void CheckLevel(Coding coding, long level, Position at, Diagnostics diagnostics)
    {
        var (least, most, _) = Codings.Levels(coding);
        if (level < least || level > most) diagnostics.Error(at, $"a level of {System.Text.Encoding.ASCII.GetString(Codings.Name(coding))} is a number from {least} to {most}");
    }

    private static void CheckTwice(List<string> names, IWritten of, string key, Diagnostics diagnostics)
    {
        if (names.Distinct().Count() < names.Count) diagnostics.Error(diagnostics.Where(of, key), $"a coding stands twice in '{key}'");
    }
}
