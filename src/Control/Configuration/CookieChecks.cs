// What can be wrong with cookies of our own: secrets too short, attributes that no browser takes, one name for two things.

namespace Weir.Control.Configuration;

internal static class CookieChecks
{
    private const int LeastSecret = 16;

    public static void Check(StickyConfig sticky, Diagnostics diagnostics)
    {
        if (sticky.Secret is { Length: < LeastSecret }) diagnostics.Error(diagnostics.Where(sticky, "secret"), $"the secret is shorter than {LeastSecret} characters");
        if (sticky.PreviousSecret is { Length: < LeastSecret }) diagnostics.Error(diagnostics.Where(sticky, "previous_secret"), $"the previous secret is shorter than {LeastSecret} characters");
        if (sticky.PreviousSecret is { } previous && previous == sticky.Secret) diagnostics.Warn(diagnostics.Where(sticky, "previous_secret"), "the previous secret is the secret itself");
        if (sticky.MaxAge is < 1_000) diagnostics.Error(diagnostics.Where(sticky, "max_age"), "a cookie's age is in whole seconds: at least 1s");
        if (sticky.Domain is { } domain && domain.Contains('*', StringComparison.Ordinal)) diagnostics.Error(diagnostics.Where(sticky, "domain"), $"a cookie's domain covers what is below it: write '{domain.TrimStart('*', '.')}'");
        if (sticky is { SameSite: "none", Secure: "never" }) diagnostics.Error(diagnostics.Where(sticky, "same_site"), "browsers take same_site: none only with secure");
        // RFC 6265bis §4.1.3: what a browser asks of such names.
        var isHost = sticky.Cookie.StartsWith("__Host-", StringComparison.OrdinalIgnoreCase);
        if ((isHost || sticky.Cookie.StartsWith("__Secure-", StringComparison.OrdinalIgnoreCase)) && sticky.Secure != "always") diagnostics.Error(diagnostics.Where(sticky, "cookie"), $"browsers take '{sticky.Cookie}' only with secure: always");
        if (isHost && (sticky.Domain is not null || sticky.Path != "/")) diagnostics.Error(diagnostics.Where(sticky, "cookie"), $"browsers take '{sticky.Cookie}' only without a domain and with the path /");
    }

    /// <summary>Two things that write one cookie would take it from each other with every request.</summary>
    public static void Check(ProxyConfig config, SiteConfig site, Diagnostics diagnostics)
    {
        var cookies = new Dictionary<(string Name, string Path), UpstreamConfig>();
        IAction[] actions = [.. site.Routes, site];
        foreach (var upstream in actions.SelectMany(static a => a.Proxy?.Targets ?? []).Select(t => t.Inline ?? config.Upstreams.Find(u => u.Name == t.Name)?.Value))
        {
            if (upstream?.Sticky is not { } sticky || cookies.TryAdd((sticky.Cookie, sticky.Path), upstream) || ReferenceEquals(cookies[(sticky.Cookie, sticky.Path)], upstream)) continue;
            diagnostics.Error(diagnostics.Where(sticky, "cookie"), $"two upstreams of the site at {site.At} are sticky by the cookie '{sticky.Cookie}', first at {cookies[(sticky.Cookie, sticky.Path)].Sticky!.At}: give each a name, or a path, of its own");
        }

        foreach (var proxy in actions.Select(static a => a.Proxy).OfType<ProxyTargetConfig>().Where(static p => p is { Split: not null, By.Kind: "cookie" }))
        {
            if (cookies.Keys.Any(c => c.Name == proxy.By.Name)) diagnostics.Error(diagnostics.Where(proxy, "by"), $"the cookie '{proxy.By.Name}' makes clients sticky: a split needs one of its own");
        }
    }
}
