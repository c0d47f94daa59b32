// Looks at the files of certificates every few seconds, whatever `watch` says: who renews them need not tell. By what stands
// under their names, so that links which are switched count. So are those of upstreams: whom they trust, and what they show. On the timers' thread, never a loop's.

using Weir.Control.Compilation;
using Weir.Engine.Observe;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>Watches the certificates of the plan in force.</summary>
internal sealed class CertificateWatch : IDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    private readonly LiveThings live;
    private readonly ErrorLog errors;
    private readonly Timer timer;
    private int looking;

    public CertificateWatch(LiveThings live, ErrorLog errors)
    {
        (this.live, this.errors) = (live, errors);
        timer = new Timer(_ => Look(), null, Every, Every);
    }

    public void Dispose() => timer.Dispose();

    private void Look()
    {
        if (Interlocked.Exchange(ref looking, 1) != 0) return; // A slow disk: the next look comes.
        foreach (var site in live.Certificates)
        {
            try
            {
                site.Look(DateTimeOffset.UtcNow);
            }
#pragma warning disable CA1031 // The root of a background task: a bug with one site's files harms no other's.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                errors.Error("tls", $"site {site.Name}: a mistake of ours while its certificates were looked at: {bug}");
            }
        }

        foreach (var origins in live.Origins)
        {
            try
            {
                LookAt(origins);
            }
#pragma warning disable CA1031 // As above.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                errors.Error("tls", $"a mistake of ours while an upstream's certificates were looked at: {bug}");
            }
        }

        Volatile.Write(ref looking, 0);
    }

    // Connections that there are go on; new ones are made with what the files hold now.
    private void LookAt(OriginTls origins)
    {
        if (!origins.HasChanged()) return;
        var which = string.Join(", ", ((string?[])[origins.Settings.Authorities, origins.Settings.Certificate?.Chain]).OfType<string>().DefaultIfEmpty("the system's CAs"));
        if (origins.TryRead(out var trouble) is not { } take)
        {
            errors.Error("tls", $"towards servers: {trouble}; what was read before stays");
            return;
        }

        take();
        errors.Info("tls", $"towards servers: {which} changed, and holds for new connections");
    }
}
