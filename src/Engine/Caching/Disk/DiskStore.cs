// The disk tier of a cache: knows hashes, keys, heads and bodies, and nothing of what they mean. One a cache, shared by all
// loops. A loop asks the index, which is in memory; all else is done by disk threads. Whatever goes wrong with a disk is a miss
// or a refusal, counted and told of once in a while, never an error of a request.
//
// A file and its entry change together under the lock of the hash's stripe, held by disk threads only, across I/O. What takes
// an entry away takes it out of the index first, where no lookup finds it any more, and deletes the file after that, unless
// another writing has put a new one there meanwhile. So: where the index has an entry, its file is there, or is about to be
// found missing.

using System.Collections.Concurrent;
using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching.Disk;

/// <summary>Where a store lies, and how much it holds.</summary>
/// <param name="Folder">Its folder; nobody else's. Made where there is none, whoever runs the program owns it.</param>
/// <param name="MostBytes">The most that its files may take of the disk. Passed for moments, by what is being written.</param>
/// <param name="MostEntries">The most entries: each takes some 70 bytes of memory.</param>
/// <param name="Tell">What people should know, once in a while; from any thread.</param>
public sealed record DiskStoreSettings(string Folder, long MostBytes, int MostEntries, Action<string> Tell);

/// <summary>A store. All members may be used from any thread; what they return belongs to the loop it was asked for.</summary>
public sealed class DiskStore : IDisposable
{
    private const int Stripes = 256;
    private const long TellEvery = 60_000;
    private const int MostSweeps = 16;

    // What was begun before one that is not remembered any more is not stored.
    internal const int MostEndedSweeps = 32;

    // Bytes on their way to the disk, of all writes together.
    private const long MostInFlight = 64 << 20;

    private readonly DiskStoreSettings settings;
    private readonly Journal journal;
    private readonly SweepLog log;
    private readonly FileStream processLock;
    private readonly ConcurrentQueue<byte[]> notes = new(); // Not on record yet.
    private readonly Lock noting = new(); // Held across I/O: disk threads'.
    private readonly Lock[] stripes = new Lock[Stripes];
    private readonly Func<long> milliseconds;
    private readonly Func<long> utcSeconds;
    private readonly Dictionary<string, long> told = [];
    private DiskSweep[] sweeps = [];
    private DiskSweep[] endedSweeps = [];
    private ulong forgottenSweep; // The start of the last one that is not remembered any more.
    private ulong serials;
    private long inFlight;
    private long pressure;
    private int users = 1;
    private int closed;

    private DiskStore(DiskStoreSettings settings, Seams seams, Journal journal, SweepLog log, FileStream processLock)
    {
        (this.settings, Folder, this.journal, this.log, this.processLock) = (settings, seams.Folder, journal, log, processLock);
        serials = FirstSerial(processLock, seams.UtcSeconds());
        (Threads, milliseconds, utcSeconds) = (seams.Threads, seams.Milliseconds, seams.UtcSeconds);
        Index = new EntryIndex(settings.MostEntries >= 1 << 16 ? 64 : 1);
        Pause = new StorePause(milliseconds);
        for (var i = 0; i < Stripes; i++) stripes[i] = new Lock();
        Index.BeginLoading();
        Housework = new Housework(this, journal);
        Housework.Kick();
    }

    public DiskCounts Counts { get; } = new();

    public long Entries => Index.Count;

    /// <summary>What the entries' files take of the disk.</summary>
    public long Bytes => Index.Bytes;

    public long MostBytes => settings.MostBytes;

    public int MostEntries => settings.MostEntries;

    /// <summary>Bytes handed in that are not on the disk yet.</summary>
    public long InFlight => Volatile.Read(ref inFlight);

    /// <summary>Whether the index has all that an earlier process left. Before that, entries are looked for by the names of their files.</summary>
    public bool IsLoaded => Housework.IsLoaded;

    /// <summary>How much of what an earlier process left the index has: 1, all of it.</summary>
    public double LoadedPart => Housework.LoadedPart;

    /// <summary>Whether nothing is stored for a while, since the disk failed.</summary>
    public bool IsPaused => Pause.Lasts;

    internal CacheFolder Folder { get; }

    internal EntryIndex Index { get; }

    internal Journal Journal => journal;

    internal StorePause Pause { get; }

    internal Housework Housework { get; }

    internal DiskThreads Threads { get; }

    internal long UtcSeconds => utcSeconds();

    /// <summary>Whether there is more on the disk than may be.</summary>
    internal bool IsOverfull => Index.Count > settings.MostEntries || Index.Bytes + Volatile.Read(ref pressure) > settings.MostBytes;

    internal ReadOnlySpan<DiskSweep> Sweeps => Volatile.Read(ref sweeps);

    /// <summary>Opens a store; null, with why, where that is not possible, as when another process has it. Control's thread: waits for the disk.</summary>
    public static DiskStore? Open(DiskStoreSettings settings, out string trouble) =>
        Open(settings, new Seams(new CacheFolder(settings.Folder), DiskThreads.Shared, static () => Environment.TickCount64, static () => DateTimeOffset.UtcNow.ToUnixTimeSeconds()), out trouble);

    internal static DiskStore? Open(DiskStoreSettings settings, Seams seams, out string trouble)
    {
        trouble = seams.Folder.Make() ?? "";
        if (trouble.Length > 0) return null;
        FileStream? own = null;
        Journal? journal = null;
        try
        {
            own = TryLock(seams.Folder.LockPath, out trouble);
            if (own is null) return null;
            journal = Journal.Open(seams.Folder);
            return new DiskStore(settings, seams, journal, SweepLog.Open(seams.Folder), own);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            journal?.Dispose();
            own?.Dispose();
            trouble = $"the folder '{settings.Folder}' cannot be used: {e.Message}";
            return null;
        }
    }

    /// <summary>Whether there is something under a hash, or, before the index is loaded, may be. Asks no disk, counts nothing.</summary>
    public bool MayHave(UInt128 hash) => Index.TryGet(hash, touch: false, out _) || (Index.Of(hash).MayComeYet(hash));

    /// <summary>Begins to read what is stored under a hash; null: nothing is, or it cannot be read now. A use of it.</summary>
    public DiskRead? TryRead(Loop loop, BufferPool buffers, UInt128 hash, ReadOnlySpan<byte> key)
    {
        Housework.KickWhereStalled();
        var isKnown = Index.TryGet(hash, touch: true, out var entry);
        if (!isKnown && !Index.Of(hash).MayComeYet(hash)) return Miss(DiskMiss.Absent);
        if (isKnown && entry.Expiry <= utcSeconds()) return Miss(DiskMiss.Expired); // Left to eviction, or the next writing.
        var size = isKnown ? entry.Size : -1;
        if (buffers.TryLease(DiskRead.RoomFor(size)) is not { } room) return Miss(DiskMiss.Busy);
        var read = new DiskRead(this, loop, buffers, room, hash, key.ToArray(), entry.Serial, size);
        if (Threads.TryRun(read)) return read;
        buffers.Return(room);
        return Miss(DiskMiss.Busy);
    }

    /// <summary>Begins to write an entry, in place of what is stored under its hash once it is committed; null: refused.</summary>
    public DiskWrite? TryBegin(Loop loop, BufferPool buffers, UInt128 hash, ReadOnlySpan<byte> key)
    {
        Housework.KickWhereStalled();
        return MayWrite(key, 0, 0) ? new DiskWrite(this, loop, buffers, NewWriting(hash, key)) : null;
    }

    /// <summary>Writes an entry that is there as a whole; false: refused, and the content is let go of.</summary>
    /// <param name="loop">Where the content is let go of, once it is written or has failed; null: on the disk's thread.</param>
    /// <param name="hash">Its hash.</param>
    /// <param name="key">Its key; at most 8,064 bytes.</param>
    /// <param name="head">Its head; at most 64 KiB.</param>
    /// <param name="facts">What else is known of it.</param>
    /// <param name="content">Its body; it does not change until it is let go of.</param>
    public bool TryStore(Loop? loop, UInt128 hash, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head, in DiskFacts facts, DiskContent content)
    {
        Housework.KickWhereStalled();
        if (MayWrite(key, head.Length, content.Length) && TryTakeFlight(content.Length))
        {
            if (Threads.TryRun(new WholeWrite(this, loop, NewWriting(hash, key), head.ToArray(), facts, content))) return true;
            GiveBackFlight(content.Length);
            Counts.Count(DiskRefusal.Slow);
        }

        content.LetGo();
        return false;
    }

    /// <summary>
    /// Removes what is stored under a hash. It is not found from now on, and what is being written for it does not become an entry; its
    /// file is gone when <see cref="DiskRemoval"/> is done, so that no restart brings it back. Who reads it goes on.
    /// </summary>
    /// <returns>Null where nothing was stored, or the disk is too busy: the file is deleted in the background then.</returns>
    public DiskRemoval? Remove(Loop? loop, UInt128 hash)
    {
        var wasThere = Index.TryRemove(hash, out var entry);
        if (wasThere) Interlocked.Increment(ref Counts.Removals);
        else if (IsLoaded) return null;
        var removal = new DiskRemoval(this, loop, hash, entry.Serial);
        if (Threads.TryRun(removal)) return removal;
        Housework.Leave(hash, entry.Serial);
        return null;
    }

    /// <summary>Removes, or counts, all that a sweep chooses; false: too many are under way, or the store is closed.</summary>
    public bool TrySweep(DiskSweep sweep)
    {
        lock (told)
        {
            if (sweeps.Length >= MostSweeps || Volatile.Read(ref closed) != 0) return false;
            sweep.Start = NextSerial();
            Volatile.Write(ref sweeps, [.. sweeps, sweep]);
        }

        Housework.Kick();
        return true;
    }

    /// <summary>Notes of sweeps that an earlier process was given and had not done; whoever uses the store has them swept before it asks for anything.</summary>
    internal IReadOnlyList<byte[]> InheritedNotes => log.Inherited;

    /// <summary>Whether a note is not on record yet.</summary>
    internal bool HasNotes => !notes.IsEmpty;

    /// <summary>Puts on record what is to be swept, until <see cref="TidyNotes"/> finds it done; at most <see cref="SweepLog.MostNote"/> bytes.</summary>
    internal void Note(byte[] note)
    {
        notes.Enqueue(note);
        if (!Threads.TryRun(new DiskNoting(this, null))) Housework.Kick();
    }

    /// <summary>Waits until all notes so far are on record: its <see cref="DiskJob.Done"/>. Null: they are, or the disk is too busy to say.</summary>
    internal DiskJob? WriteNotes(Loop loop)
    {
        if (!HasNotes) return null;
        var job = new DiskNoting(this, loop);
        return Threads.TryRun(job) ? job : null;
    }

    /// <summary>Writes what is to be noted. Disk threads.</summary>
    internal void WriteNotes()
    {
        lock (noting)
        {
            while (notes.TryPeek(out var note))
            {
                try
                {
                    log.Add(note);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    Failed("what was purged could not be put on record", e); // It holds while this process lives.
                }

                notes.TryDequeue(out _);
            }
        }
    }

    /// <summary>Leaves on record what is under way. Disk threads.</summary>
    /// <param name="underWay">What of all that was noted before it is called.</param>
    internal void TidyNotes(Func<List<byte[]>> underWay)
    {
        if (!TryEnter()) return;
        try
        {
            lock (noting) log.Tidy(underWay());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Failed("the cache's upkeep failed", e);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Lets go of the folder once what is under way is through.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref closed, 1) != 0) return;
        Leave();
    }

    internal bool TryTakeFlight(long bytes)
    {
        // One that is longer than all that may be on its way is let through when nothing else is.
        if (Interlocked.Add(ref inFlight, bytes) <= Math.Max(MostInFlight, bytes)) return true;
        Interlocked.Add(ref inFlight, -bytes);
        Counts.Count(DiskRefusal.Slow);
        return false;
    }

    internal void GiveBackFlight(long bytes) => Interlocked.Add(ref inFlight, -bytes);

    /// <summary>Whether the folder may be used; followed by <see cref="Leave"/> where it may.</summary>
    internal bool TryEnter()
    {
        while (true)
        {
            var now = Volatile.Read(ref users);
            if (now == 0 || Volatile.Read(ref closed) != 0) return false;
            if (Interlocked.CompareExchange(ref users, now + 1, now) == now) return true;
        }
    }

    internal void Leave()
    {
        if (Interlocked.Decrement(ref users) != 0) return;
        journal.Dispose();
        log.Dispose();
        processLock.Dispose();
        foreach (var sweep in Interlocked.Exchange(ref sweeps, [])) sweep.Finish(isThrough: false);
    }

    internal Lock StripeOf(UInt128 hash) => stripes[(int)(hash >> 64) & (Stripes - 1)];

    /// <summary>Makes a written file an entry, or drops it: it was removed before it was there. Throws what files throw. Disk threads.</summary>
    internal bool Reveal(string aside, in EntryHeader header, ReadOnlySpan<byte> head, Writing writing)
    {
        var entry = new IndexEntry
        {
            Hash = header.Hash,
            Serial = header.Serial,
            Size = EntryHeader.Occupied(header.FileLength),
            Mark = header.Facts.Mark,
            Stored = Seconds(header.Facts.Stored),
            Expiry = Seconds(header.Facts.Expiry),
        };
        var (begun, ended) = (Volatile.Read(ref sweeps), Volatile.Read(ref endedSweeps));
        if (IsSwept(header, writing.Key, head, byEnded: true)) return false;
        lock (StripeOf(header.Hash))
        {
            // Of two writings, the one that was begun later stays.
            if (Index.Of(header.Hash).StampOf(header.Hash) != writing.Stamp || (Index.TryGet(header.Hash, touch: false, out var before) && before.Serial > header.Serial)) return false;
            journal.Add(entry); // Where the name cannot be given, a later start will find the file missing.
            Folder.Rename(aside, Folder.PathOf(header.Hash));
            if (!Index.TryPut(entry, writing.Stamp))
            {
                Index.TryTakeOut(header.Hash, 0); // The one before has lost its file.
                DeleteFile(header.Hash, header.Serial);
                return false;
            }
        }

        // A sweep that came meanwhile may have passed by already.
        if ((begun != Volatile.Read(ref sweeps) || ended != Volatile.Read(ref endedSweeps)) && IsSwept(header, writing.Key, head, byEnded: true)) TakeAway(header.Hash, header.Serial);
        if (IsOverfull || Housework.IsJournalLong) Housework.Kick();
        Pause.End();
        Interlocked.Increment(ref Counts.Writes);
        Interlocked.Add(ref Counts.BytesWritten, header.FileLength);
        return true;
    }

    /// <summary>Whether a sweep that is under way, or has ended since the entry's writing was begun, is against it.</summary>
    internal bool IsSwept(in EntryHeader header, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head, bool byEnded = false)
    {
        // An ending one is for a moment among both, never among neither.
        return IsChosen(Sweeps, header, key, head) || (byEnded && (header.Serial < Volatile.Read(ref forgottenSweep) || IsChosen(Volatile.Read(ref endedSweeps), header, key, head)));
    }

    internal void EndSweep(DiskSweep sweep)
    {
        lock (told)
        {
            if (sweep.Removes)
            {
                if (endedSweeps.Length == MostEndedSweeps) Volatile.Write(ref forgottenSweep, Math.Max(forgottenSweep, endedSweeps[0].Start));
                Volatile.Write(ref endedSweeps, [.. endedSweeps.TakeLast(MostEndedSweeps - 1), sweep]);
            }

            Volatile.Write(ref sweeps, [.. sweeps.Where(s => s != sweep)]);
        }

        sweep.Finish(isThrough: true);
    }

    /// <summary>Takes an entry away where it is still that of a writing. Disk threads.</summary>
    internal bool TakeAway(UInt128 hash, ulong serial)
    {
        if (!Index.TryTakeOut(hash, serial)) return false;
        lock (StripeOf(hash)) DeleteFile(hash, serial);
        return true;
    }

    /// <summary>Takes away whatever has a hash: it was found by its name, before the index was loaded. Disk threads.</summary>
    internal void TakeAwayAny(UInt128 hash)
    {
        lock (StripeOf(hash))
        {
            Index.TryTakeOut(hash, 0);
            DeleteFile(hash, 0);
        }
    }

    /// <summary>Deletes the file of what was taken out of the index, unless it is another's by now. Disk threads.</summary>
    internal bool TryDelete(UInt128 hash, ulong serial)
    {
        lock (StripeOf(hash)) return DeleteFile(hash, serial);
    }

    /// <summary>Evicts some of what is too much, or less where there is not so much; whether there may be more to do. Disk threads.</summary>
    internal bool Evict(int most)
    {
        for (var i = 0; i < most; i++)
        {
            if (!IsOverfull || !Index.TryEvict(Seconds(utcSeconds()), out var victim))
            {
                Volatile.Write(ref pressure, 0);
                return false;
            }

            TryDelete(victim.Hash, victim.Serial);
            Interlocked.Increment(ref Counts.Evictions);
            Interlocked.Add(ref Counts.EvictedBytes, victim.Size);
        }

        return true;
    }

    /// <summary>The disk failed to take something: nothing more is written for a while, and where it is full, room is made.</summary>
    internal void WriteFailed(Exception failure, long bytes)
    {
        Failed("storing in the cache failed, it pauses", failure);
        Counts.Count(DiskRefusal.Failed);
        Pause.Begin();
        if (!CacheFolder.IsFull(failure)) return;
        // As if the limit were lower, once: a share of what is there, and at least what had no room.
        var free = Math.Max(Index.Bytes / 16, EntryHeader.Occupied(bytes) * 2);
        Volatile.Write(ref pressure, settings.MostBytes - Math.Max(Index.Bytes - free, 0));
        Housework.Kick();
    }

    internal void Failed(string what, Exception failure)
    {
        Interlocked.Increment(ref Counts.Errors);
        Tell(what, failure.Message);
    }

    internal void Tell(string what, string detail)
    {
        lock (told)
        {
            var now = milliseconds();
            if (told.TryGetValue(what, out var last) && now - last < TellEvery) return;
            told[what] = now;
        }

        settings.Tell($"{what}: {detail}");
    }

    private static bool IsChosen(ReadOnlySpan<DiskSweep> among, in EntryHeader header, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head)
    {
        foreach (var sweep in among)
        {
            if (sweep.Removes && header.Serial < sweep.Start && sweep.Chooses(header, key, head)) return true;
        }

        return false;
    }

    private static uint Seconds(long utc) => (uint)Math.Clamp(utc, 0, uint.MaxValue);

    private static FileStream? TryLock(string path, out string trouble)
    {
        trouble = "";
        try
        {
            return new FileStream(path, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        }
        catch (IOException e) when (e.HResult == Errno.Again)
        {
            trouble = $"another process uses '{Path.GetDirectoryName(path)}'";
            return null;
        }
    }

    // Serials only grow, from one process to the next too, whatever the clock does: a later one is a later writing.
    private static ulong FirstSerial(FileStream own, long utcSeconds)
    {
        Span<byte> before = stackalloc byte[8];
        var got = own.Read(before);
        var first = Math.Max((ulong)utcSeconds << 32, got == 8 ? (BitConverter.ToUInt64(before) | uint.MaxValue) + 1 : 0);
        BitConverter.TryWriteBytes(before, first);
        own.Position = 0;
        own.Write(before);
        return first;
    }

    private bool DeleteFile(UInt128 hash, ulong serial)
    {
        if (Index.TryGet(hash, touch: false, out _)) return true;
        var isGone = false;
        try
        {
            Folder.Delete(Folder.PathOf(hash));
            isGone = true;
            journal.AddGone(hash, serial != 0 ? serial : NextSerial()); // Whichever it was that the index did not know yet.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Failed("removing from the cache failed", e); // Where only the record failed, a later start will find the file missing.
        }

        return isGone;
    }

    private DiskRead? Miss(DiskMiss reason)
    {
        Counts.Count(reason);
        return null;
    }

    private Writing NewWriting(UInt128 hash, ReadOnlySpan<byte> key) => new(hash, key.ToArray(), NextSerial(), Index.Of(hash).StampOf(hash));

    private ulong NextSerial() => Interlocked.Increment(ref serials);

    private bool MayWrite(ReadOnlySpan<byte> key, int head, long body)
    {
        if (key.Length > EntryHeader.MostKey || head > EntryHeader.MostHead || body > settings.MostBytes) Counts.Count(DiskRefusal.TooLarge);
        else if (Pause.Lasts) Counts.Count(DiskRefusal.Paused);
        // Eviction does not keep up: what it is behind is bounded here.
        else if (Index.Bytes + InFlight > settings.MostBytes + (settings.MostBytes / 16) + MostInFlight) Counts.Count(DiskRefusal.Slow);
        else return Volatile.Read(ref closed) == 0;
        return false;
    }

    /// <summary>What a test puts in place of the real thing.</summary>
    internal sealed record Seams(CacheFolder Folder, DiskThreads Threads, Func<long> Milliseconds, Func<long> UtcSeconds);
}

/// <summary>A writing from its begin on: what tells it from others, and what is removed since.</summary>
internal sealed record Writing(UInt128 Hash, byte[] Key, ulong Serial, uint Stamp);

/// <summary>A removal under way.</summary>
public sealed class DiskRemoval : DiskJob
{
    private readonly DiskStore store;
    private readonly UInt128 hash;
    private readonly ulong serial;

    internal DiskRemoval(DiskStore store, Loop? loop, UInt128 hash, ulong serial)
        : base(loop) => (this.store, this.hash, this.serial) = (store, hash, serial);

    protected override void Work()
    {
        if (!store.TryEnter()) return;
        if (!store.TryDelete(hash, serial)) Trouble = "the file could not be deleted";
        store.Leave();
    }

    protected override void LetGo()
    {
    }
}

/// <summary>Notes on their way to the record.</summary>
internal sealed class DiskNoting(DiskStore store, Loop? loop) : DiskJob(loop)
{
    protected override void Work()
    {
        if (!store.TryEnter()) return;
        store.WriteNotes();
        store.Leave();
    }

    protected override void LetGo()
    {
    }
}
