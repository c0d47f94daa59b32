// The disks of caches: opened once the program is who it will be, closed when no cache wants them any more. One that cannot be
// opened, as when an earlier process still has it, costs nothing but its use: it is tried again.

using Weir.Engine.Caching;
using Weir.Engine.Caching.Disk;
using Weir.Engine.Observe;

namespace Weir.Control.Compilation;

/// <summary>A disk that a cache is to have.</summary>
/// <param name="Folder">Its folder, nobody else's.</param>
/// <param name="MostBytes">Bytes that its files may take.</param>
/// <param name="MostEntries">Entries at most.</param>
public sealed record CacheDiskSettings(string Folder, long MostBytes, int MostEntries);

/// <summary>The disks in use. Under a lock of its own: the timer is another thread.</summary>
internal sealed class CacheDisks(ErrorLog? errors) : IDisposable
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(5);

    private readonly Lock turn = new();
    private readonly Dictionary<Cache, CacheDiskSettings> wanted = [];
    private readonly Dictionary<Cache, (CacheDiskSettings Settings, DiskStore Store)> open = [];
    private readonly HashSet<string> told = [];
    private Timer? timer;
    private bool closed;

    /// <summary>Says what a cache is to have; null: none.</summary>
    public void Want(Cache cache, CacheDiskSettings? settings)
    {
        lock (turn)
        {
            if (settings is not null) wanted[cache] = settings;
            else wanted.Remove(cache);
            if (settings is null && !open.ContainsKey(cache)) cache.UseDisk(null);
        }
    }

    /// <summary>Opens and closes what is to be.</summary>
    public void Begin()
    {
        lock (turn)
        {
            if (closed) return;
            foreach (var (cache, (settings, store)) in open.ToArray())
            {
                if (wanted.TryGetValue(cache, out var now) && now == settings) continue;
                if (now is null) cache.UseDisk(null);
                else cache.AwaitDisk();
                store.Dispose();
                open.Remove(cache);
            }

            foreach (var (cache, settings) in wanted)
            {
                if (!open.ContainsKey(cache)) Open(cache, settings);
            }

            if (open.Count == wanted.Count) return;
            timer ??= new Timer(_ => Begin());
            timer.Change(Again, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Forgets caches that are no more.</summary>
    public void Keep(IReadOnlyCollection<Cache> caches)
    {
        lock (turn)
        {
            foreach (var cache in wanted.Keys.Except(caches).ToArray()) wanted.Remove(cache);
        }
    }

    public void Dispose()
    {
        lock (turn)
        {
            closed = true;
            timer?.Dispose();
            foreach (var (cache, (_, store)) in open)
            {
                cache.UseDisk(null);
                store.Dispose();
            }

            open.Clear();
        }
    }

    private void Open(Cache cache, CacheDiskSettings settings)
    {
        var store = DiskStore.Open(new DiskStoreSettings(settings.Folder, settings.MostBytes, settings.MostEntries, text => errors?.Warn("cache", $"{cache.Name}: {text}")), out var trouble);
        if (store is null)
        {
            cache.AwaitDisk();
            if (told.Add(trouble)) errors?.Error("cache", $"{cache.Name}: {trouble}; it goes on without its disk, and tries again");
            return;
        }

        told.Clear();
        open[cache] = (settings, store);
        cache.UseDisk(new DiskTier(store));
    }
}
