// What a store does on its own, one small step after the other on a disk thread, so that requests' work comes between: reading
// the journal after a start, deleting what nobody needs, evicting, sweeping, writing the journal anew, and looking once for
// files that no entry belongs to. At most one step at a time; what it keeps between steps needs no lock.

using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;
using Weir.Engine.Disk;

namespace Weir.Engine.Caching.Disk;

/// <summary>The background work of a store.</summary>
internal sealed class Housework(DiskStore store, Journal journal) : DiskJob(null)
{
    private const int RecordsAStep = 8192;
    private const int DeletionsAStep = 64;
    private const int EvictionsAStep = 64;

    // The journal is written anew where it has twice as many records as there are entries, and these.
    private const int SpareRecords = 16384;

    // After each failure the journal may be twice as long before it is tried again.
    private const int MostFailures = 16;

    private readonly ConcurrentQueue<(UInt128 Hash, ulong Serial)> removed = new();
    private readonly ConcurrentQueue<EntryWriter> dropped = new();
    private readonly ConcurrentQueue<SafeFileHandle> closing = new();
    private readonly SweepWalk walk = new(store);
    private byte[]? room;
    private long loaded;
    private int parts; // Of the folder looked through; the one after the last is what lies aside.
    private int anew = -1; // The shard to be written to the new journal next.
    private int anewFailures;
    private int queued;
    private bool stalled;

    public bool IsLoaded { get; private set; }

    /// <summary>How much of the journal was read.</summary>
    public double LoadedPart => IsLoaded ? 1 : Math.Min((double)Volatile.Read(ref loaded) / Math.Max(journal.Inherited, 1), 1);

    /// <summary>Whether the folder was looked through.</summary>
    public bool IsSettled => parts > CacheFolder.Parts;

    /// <summary>Whether most of the journal speaks of what is gone.</summary>
    public bool IsJournalLong => journal.Records > (store.Entries * 2) + ((long)SpareRecords << anewFailures);

    /// <summary>There is something to do, perhaps.</summary>
    public void Kick()
    {
        if (Interlocked.Exchange(ref queued, 1) == 0) Queue();
    }

    /// <summary>Goes on where the disk threads once had no room for the next step.</summary>
    public void KickWhereStalled()
    {
        if (stalled) Kick();
    }

    /// <summary>A file is to be deleted whose entry was taken out of the index.</summary>
    public void Leave(UInt128 hash, ulong serial)
    {
        removed.Enqueue((hash, serial));
        Kick();
    }

    /// <summary>What was written is not to be stored.</summary>
    public void Leave(EntryWriter writer)
    {
        dropped.Enqueue(writer);
        Kick();
    }

    /// <summary>A file is to be closed.</summary>
    public void Leave(SafeFileHandle file)
    {
        closing.Enqueue(file);
        Kick();
    }

    protected override void Work()
    {
        var isOpen = store.TryEnter();
        try
        {
            CloseFiles();
            if (isOpen && store.HasNotes) store.WriteNotes();
            if (isOpen) Step();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            store.Failed("the cache's upkeep failed", e);
        }
        finally
        {
            if (isOpen) store.Leave();
        }

        if (IsMore(isOpen))
        {
            Queue();
            return;
        }

        Volatile.Write(ref queued, 0);
        if (IsMore(isOpen)) Kick();
    }

    protected override void LetGo()
    {
    }

    private void Queue()
    {
        stalled = false;
        if (store.Threads.TryRun(this)) return;
        stalled = true;
        Volatile.Write(ref queued, 0);
    }

    private bool IsMore(bool isOpen) =>
        !dropped.IsEmpty || !closing.IsEmpty || (isOpen && (!IsLoaded || !removed.IsEmpty || store.IsOverfull || walk.HasWork || anew >= 0 || IsJournalLong || !IsSettled));

    private void Step()
    {
        Delete();
        if (!IsLoaded) Load();
        else if (store.IsOverfull) store.Evict(EvictionsAStep);
        if (!IsLoaded) return;
        if (walk.HasWork) walk.Step();
        else if (anew >= 0 || IsJournalLong) WriteAnew();
        else if (!IsSettled) LookThrough();
    }

    // Also once the store is closed: these are nobody else's.
    private void CloseFiles()
    {
        for (var i = 0; i < DeletionsAStep && closing.TryDequeue(out var file); i++) file.Dispose();
        for (var i = 0; i < DeletionsAStep && dropped.TryDequeue(out var writer); i++) writer.Drop();
    }

    private void Delete()
    {
        for (var i = 0; i < DeletionsAStep && removed.TryDequeue(out var entry); i++) store.TryDelete(entry.Hash, entry.Serial);
    }

    private void Load()
    {
        room ??= new byte[RecordsAStep * Journal.RecordBytes];
        var got = 0;
        try
        {
            if (loaded < journal.Inherited) got = journal.Load(loaded, room, store.Index);
        }
        catch (IOException e)
        {
            store.Failed("the journal of the cache cannot be read", e);
        }

        loaded += got;
        if (got > 0 && loaded < journal.Inherited) return;
        room = null;
        store.Index.EndLoading();
        IsLoaded = true;
    }

    private void WriteAnew()
    {
        try
        {
            if (anew < 0) journal.BeginAnew();
            anew++;
            if (anew < store.Index.Shards.Length)
            {
                journal.AddAll(store.Index.Shards[anew]);
                return;
            }

            anewFailures = journal.TryEndAnew() ? 0 : Math.Min(anewFailures + 1, MostFailures);
            anew = -1;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            journal.GiveUpAnew();
            anew = -1;
            anewFailures = Math.Min(anewFailures + 1, MostFailures);
            store.Failed("the journal of the cache cannot be written anew", e);
        }
    }

    // One part a step. What was renamed a moment ago is in the index once its stripe is free.
    private void LookThrough()
    {
        var part = parts++;
        var folder = part < CacheFolder.Parts ? store.Folder.PathOfPart(part) : store.Folder.Aside;
        if (!Directory.Exists(folder)) return;
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            var name = Path.GetFileName(file);
            if (part == CacheFolder.Parts)
            {
                if (!name.StartsWith(store.Folder.Mine, StringComparison.Ordinal)) Delete(file);
            }
            else if (CacheFolder.HashOf(part, name) is not { } hash)
            {
                Delete(file);
            }
            else if (!store.Index.TryGet(hash, touch: false, out _))
            {
                lock (store.StripeOf(hash))
                {
                    if (!store.Index.TryGet(hash, touch: false, out _)) Delete(file);
                }
            }
        }
    }

    private void Delete(string file)
    {
        if (store.Folder.Delete(file)) Interlocked.Increment(ref store.Counts.Orphans);
    }
}
