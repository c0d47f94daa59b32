// From sticky sections to what reads and writes their cookies: one for each upstream of a plan.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Policies.Cookies;
using Weir.Engine.Upstreams;

namespace Weir.Control.Compilation;

/// <summary>Where the key is kept that the program makes for itself; the bytes, or why they cannot be had.</summary>
public delegate (byte[]? Key, string Trouble) OwnKey();

internal sealed class Stickies(OwnKey? ownKey, int loops)
{
    private readonly Dictionary<Upstream, Sticky> made = [];

    public void Clear() => made.Clear();

    /// <summary>Null where the upstream has none, or where its key cannot be had, which is told.</summary>
    public Sticky? Of(Upstream upstream, UpstreamConfig from, Diagnostics diagnostics)
    {
        if (from.Sticky is not { } written) return null;
        if (made.TryGetValue(upstream, out var sticky)) return sticky;
        if (Key(written, diagnostics) is not { } key) return null;
        return made[upstream] = new Sticky(upstream, Form(written), key, written.PreviousSecret is { } previous ? Of(previous) : null, loops);
    }

    private StickyKey? Key(StickyConfig written, Diagnostics diagnostics)
    {
        if (written.Secret is { } secret) return Of(secret);
        if (ownKey is null) return Of(""); // Explained or checked, not served: nothing is made.
        var (key, trouble) = ownKey();
        if (key is not null) return new StickyKey(key);
        diagnostics.Error(written.At, $"the key for the cookie '{written.Cookie}' cannot be kept: {trouble}; set 'state' to a folder that can be written, or give a 'secret'");
        return null;
    }

    private static StickyKey Of(string secret) => new(Encoding.UTF8.GetBytes(secret));

    private static CookieForm Form(StickyConfig from) => new(
        from.Cookie, from.Path, from.Domain, from.MaxAge / 1_000, from.SameSite switch { "strict" => "Strict", "none" => "None", _ => "Lax" },
        from.Secure switch { "always" => CookieSecure.Always, "never" => CookieSecure.Never, _ => CookieSecure.Auto });
}
