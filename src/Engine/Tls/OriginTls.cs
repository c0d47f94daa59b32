// What an upstream's endpoints have in common over TLS: whom they trust, and whom they show themselves as. It lives longer
// than plans; what its files hold is read again by each plan that names it, and what was made from the files before goes on
// on the connections that there are.

namespace Weir.Engine.Tls;

/// <summary>The client's side of an upstream's TLS. Swapped whole; any thread.</summary>
public sealed class OriginTls(OriginTlsSettings settings)
{
    private readonly Lock making = new();
    private volatile SslContext? context;
    private string stamp = "";
    private string seen = "";
    private string? tried;

    public OriginTlsSettings Settings { get; } = settings;

    /// <summary>What connections are made from, and whose sessions are gone on with.</summary>
    internal SslContext? Context => context;

    /// <summary>Reads the files, where they have changed.</summary>
    /// <param name="trouble">What is wrong with them; what there was stays.</param>
    /// <returns>Puts in force what was read; null where something is wrong.</returns>
    public Action? TryRead(out string trouble)
    {
        trouble = "";
        lock (making)
        {
            var now = OriginContext.Stamp(Settings);
            if (context is not null && now == stamp) return static () => { };
            if (OriginContext.TryMake(Settings, out trouble) is not { } next) return null;
            return () => Take(next, now);
        }
    }

    /// <summary>
    /// Whether its files have become others than those read last, and have been still since the call before. Once for each change.
    /// </summary>
    public bool HasChanged()
    {
        lock (making)
        {
            if (context is null) return false; // Nothing is in use that could be old.
            var now = OriginContext.Stamp(Settings);
            var isStill = now == seen;
            seen = now;
            if (!isStill || now == (tried ?? stamp)) return false;
            tried = now;
            return true;
        }
    }

    /// <summary>Reads the files now where no plan has, as for an endpoint that was added while it runs.</summary>
    public bool MakeReady()
    {
        if (context is null) TryRead(out _)?.Invoke();
        return context is not null;
    }

    private void Take(SslContext next, string of)
    {
        lock (making) (context, stamp, tried) = (next, of, null);
    }
}
