// Looks at the files of certificates every few seconds, whatever `watch` says: who renews them need not tell. By what stands
// under their names, so that links which are switched count. On the timers' thread, never a loop's.

using Weir.Control.Compilation;
using Weir.Engine.Observe;

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

        Volatile.Write(ref looking, 0);
    }
}
