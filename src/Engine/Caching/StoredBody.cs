// A body in native memory. One fill writes it, any number of readers on any loop follow: bytes that were written never change,
// and what has been written is told by one number, set after the bytes. Who waits for more is woken on its own loop.
//
// A body that is not kept, or no longer, is a window on its way: what all readers have passed is given back, and its fill waits
// for the slowest of them. Only the fill gives back, and only what lies before every reader; so no reader is ever overtaken.

using Weir.Engine.Caching.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching;

/// <summary>A body that is kept, or is on its way. Counted: who reads it holds a reference.</summary>
public sealed class StoredBody
{
    // Blocks of a body whose length is not known grow, so that small ones stay small.
    private const int First = 4096, Second = 16384, Third = 65536, Usual = 262_144;

    /// <summary>Bytes that a window holds at most, and one piece.</summary>
    internal const long MostAhead = 1 << 20;

    private readonly Lock door = new();
    private readonly MemoryUse use;
    private readonly long announced;
    private readonly EntryFile? file;
    private Layout layout = new([], 0);
    private int count; // Blocks so far, those before Freed included.
    private int freed;
    private long room; // In the blocks so far.
    private long held; // What is counted: a length that is known counts from the start.
    private long written;
    private int references = 1;
    private StoredReader? waiting;
    private StoredReader? readers; // Those that began while it was filled.
    private int readerCount;
    private LoopWake? passed; // Wakes the fill of a window.
    private int learnt; // 1: it was looked at as a dictionary.
    private CodedBody? coded; // Under the door; never changed once it is there.
    private volatile bool isEnded;
    private FaultCause failure;

    /// <param name="length">Bytes in the body; -1: its end will tell.</param>
    /// <param name="use">Where its memory is counted.</param>
    public StoredBody(long length, MemoryUse use)
    {
        announced = length;
        this.use = use;
        use.Take(held = Math.Max(0, length));
        if (length == 0) isEnded = true;
    }

    /// <summary>One that stays on the disk: none of it is here, and <see cref="DiskReader"/> reads it.</summary>
    internal StoredBody(EntryFile file, MemoryUse use)
    {
        (announced, this.file, this.use, isEnded) = (file.Header.BodyLength, file, use, true);
        file.Take();
    }

    /// <summary>As the constructor; null: there is no room for as much.</summary>
    internal static StoredBody? TryMake(long length, MemoryUse use) => use.HasRoomFor(Math.Max(0, length)) ? new StoredBody(length, use) : null;

    /// <summary>Bytes in the whole body; -1 while only its end will tell, and where it broke: what came of it is no length. Any thread.</summary>
    public long Length => announced >= 0 ? announced : IsWhole ? Volatile.Read(ref written) : -1;

    /// <summary>Bytes that can be read. Any thread.</summary>
    public long Written => Volatile.Read(ref written);

    /// <summary>Whether nothing more comes: it is whole, or broken. Any thread.</summary>
    public bool IsEnded => isEnded;

    /// <summary>Why it will never be whole. Meaningful once it has ended.</summary>
    public FaultCause Failure => failure;

    public bool IsWhole => isEnded && failure == FaultCause.None;

    /// <summary>Where it stays; null: it is in memory.</summary>
    internal EntryFile? File => file;

    /// <summary>Whether what was read is given back.</summary>
    internal bool IsWindow => passed is not null;

    /// <summary>In how many pieces it lies.</summary>
    internal int Pieces => Volatile.Read(ref count);

    /// <summary>Native memory it holds, or will, in bytes, its other codings included.</summary>
    public long Taken
    {
        get
        {
            var taken = Volatile.Read(ref held);
            for (var one = Volatile.Read(ref coded); one is not null; one = one.Next) taken += one.Body?.Taken ?? 0;
            return taken;
        }
    }

    public void Hold() => Interlocked.Increment(ref references);

    public void LetGo()
    {
        if (Interlocked.Decrement(ref references) > 0) return;
        for (var i = freed; i < count; i++) layout.Items[i - layout.Skipped].Free();
        use.GiveBack(held);
        file?.Leave();
        for (var one = coded; one is not null; one = one.Next) one.Body?.LetGo();
    }

    /// <summary>The same body in a coding; null: it is not there. Any thread that holds a reference.</summary>
    internal StoredBody? Coded(byte[] coding) => Find(coding)?.Body;

    /// <summary>Notes that it is wanted in a coding.</summary>
    /// <param name="coding">The coding.</param>
    /// <param name="mostBeside">Where it has so many others, made or wanted, it gets no further one.</param>
    /// <returns>How often it was, this time included; 0: it is there, or is not to be made.</returns>
    internal int Wanted(byte[] coding, int mostBeside)
    {
        if (Find(coding) is { } known) return known.IsSettled ? 0 : known.Want();
        lock (door)
        {
            if (Find(coding) is null)
            {
                if (Forms >= mostBeside) return 0;
                Volatile.Write(ref coded, new CodedBody(coding, coded));
            }

            return Find(coding)!.Want();
        }
    }

    /// <summary>It was wanted often enough, but nobody can make it now: it is counted anew.</summary>
    internal void Unwanted(byte[] coding) => Find(coding)?.Unwant();

    /// <summary>Other codings it is in, or is wanted in. Any thread that holds a reference.</summary>
    internal int Forms
    {
        get
        {
            var forms = 0;
            for (var one = Volatile.Read(ref coded); one is not null; one = one.Next) forms++;
            return forms;
        }
    }

    /// <summary>Whether somebody makes, or has made, a dictionary of it: true for the first who asks.</summary>
    internal bool TryLearn() => Interlocked.Exchange(ref learnt, 1) == 0;

    /// <summary>It could not be made now.</summary>
    internal void Forget() => Volatile.Write(ref learnt, 0);

    /// <summary>It is there in a coding now, or never will be (null): it is not worth having. Takes over the reference.</summary>
    internal void Settle(byte[] coding, StoredBody? made)
    {
        var known = Find(coding)!;
        known.Body = made;
        known.IsSettled = true;
    }

    private CodedBody? Find(byte[] coding)
    {
        var one = Volatile.Read(ref coded);
        while (one is not null && !one.Coding.AsSpan().SequenceEqual(coding)) one = one.Next;
        return one;
    }

    /// <summary>Adds bytes. Its fill only.</summary>
    /// <returns>How many: fewer where there is no more memory, or no more was announced.</returns>
    public int Append(ReadOnlySpan<byte> bytes)
    {
        var from = written;
        var at = from;
        if (announced >= 0 && bytes.Length > announced - at) bytes = bytes[..(int)(announced - at)];
        while (!bytes.IsEmpty && (at < room || TryAddBlock()))
        {
            var (block, offset) = Find(at);
            var into = layout.Items[block - layout.Skipped].Bytes[offset..];
            var part = bytes[..Math.Min(bytes.Length, into.Length)];
            part.CopyTo(into);
            at += part.Length;
            bytes = bytes[part.Length..];
        }

        Volatile.Write(ref written, at);
        Wake();
        return (int)(at - from);
    }

    /// <summary>It is not kept: from now on it is no more than a window. Its fill only.</summary>
    /// <param name="wake">Told when a reader has read on, or left.</param>
    internal void BecomeWindow(LoopWake wake)
    {
        Volatile.Write(ref passed, wake);
        use.GiveBack(held - room);
        Volatile.Write(ref held, room);
    }

    /// <summary>Of a window: gives back what all its readers have passed. Its fill only.</summary>
    /// <param name="expected">How many readers there are where all who may read have begun.</param>
    /// <returns>Whether there is room to go on.</returns>
    internal bool TryGoOn(int expected)
    {
        lock (door)
        {
            if (readerCount == expected)
            {
                var slowest = written;
                for (var reader = readers; reader is not null; reader = reader.NextReader) slowest = Math.Min(slowest, reader.Position);
                for (; freed < count && StartOf(freed + 1) <= slowest; freed++)
                {
                    ref var block = ref layout.Items[freed - layout.Skipped];
                    use.GiveBack(block.Length);
                    held -= block.Length;
                    block.Free();
                    block = default;
                }
            }
        }

        return written - StartOf(freed) < MostAhead;
    }

    /// <summary>Whether a window is full, as far as is known without looking at its readers.</summary>
    internal bool IsFull => written - StartOf(freed) >= MostAhead;

    /// <summary>A reader begins at the first byte.</summary>
    /// <returns>False: that is gone, and it can read nothing.</returns>
    internal bool TryEnter(StoredReader reader)
    {
        if (isEnded && !IsWindow) return true;
        lock (door)
        {
            if (freed > 0) return false;
            reader.NextReader = readers;
            if (readers is not null) readers.PreviousReader = reader;
            readers = reader;
            readerCount++;
            reader.HasEntered = true;
            return true;
        }
    }

    internal void Leave(StoredReader reader)
    {
        if (!reader.HasEntered) return;
        lock (door)
        {
            reader.HasEntered = false;
            if (reader.PreviousReader is null) readers = reader.NextReader;
            else reader.PreviousReader.NextReader = reader.NextReader;
            if (reader.NextReader is not null) reader.NextReader.PreviousReader = reader.PreviousReader;
            reader.NextReader = reader.PreviousReader = null;
            readerCount--;
        }
    }

    /// <summary>A reader has read on, or let go.</summary>
    internal void Pass() => Volatile.Read(ref passed)?.Wake();

    /// <summary>Nothing more comes. Its fill only.</summary>
    /// <param name="why">Why it is not whole; none: it is.</param>
    public void End(FaultCause why)
    {
        if (isEnded) return;
        failure = why == FaultCause.None && announced >= 0 && announced != written ? FaultCause.Closed : why;
        isEnded = true;
        Wake();
    }

    /// <summary>Bytes from an offset on, as far as they lie together. Any thread that holds a reference.</summary>
    public ReadOnlySpan<byte> From(long offset, long most)
    {
        most = Math.Min(Volatile.Read(ref written) - offset, most);
        if (most <= 0) return default;
        var (block, at) = Find(offset);
        var there = Volatile.Read(ref layout);
        var bytes = there.Items[block - there.Skipped].Bytes[at..];
        return bytes.Length > most ? bytes[..(int)most] : bytes;
    }

    /// <summary>Registers a reader to be woken, unless there is more already.</summary>
    internal bool TryWait(StoredReader reader, long beyond)
    {
        lock (door)
        {
            // A wake that came late raises the signal of a reader that is listed anew: it looks, and finds itself listed.
            if (!reader.IsListed)
            {
                reader.NextWaiting = waiting;
                reader.IsListed = true;
                Volatile.Write(ref waiting, reader);
            }

            Interlocked.MemoryBarrier(); // Listed first, then looked: what comes after the look finds it listed.
            if (!isEnded && written <= beyond) return true;
            Unlist(reader);
            return false;
        }
    }

    internal void StopWaiting(StoredReader reader)
    {
        lock (door)
        {
            if (reader.IsListed) Unlist(reader);
        }
    }

    private void Unlist(StoredReader reader)
    {
        reader.IsListed = false;
        ref var place = ref waiting;
        while (place != reader) place = ref place!.NextWaiting;
        place = reader.NextWaiting;
        reader.NextWaiting = null;
    }

    // The list is taken under the lock and walked under it: a reader that is listed is alive.
    private void Wake()
    {
        Interlocked.MemoryBarrier(); // Written first, then looked: who lists itself after the look sees what was written.
        if (Volatile.Read(ref waiting) is null) return;
        lock (door)
        {
            while (waiting is { } reader)
            {
                waiting = reader.NextWaiting;
                reader.NextWaiting = null;
                reader.IsListed = false;
                reader.Wake();
            }
        }
    }

    private bool TryAddBlock()
    {
        var size = announced >= 0 ? (int)Math.Min(announced - room, Usual) : count switch { 0 => First, 1 => Second, 2 => Third, _ => Usual };
        var isCounted = announced >= 0 && !IsWindow;
        if (!isCounted && !IsWindow && !use.HasRoomFor(size)) return false;
        if (!NativeBlock.TryAllocate(size, out var block)) return false;
        if (count - layout.Skipped == layout.Items.Length)
        {
            var more = new NativeBlock[Math.Max(announced >= 0 ? (int)Math.Min((announced + Usual - 1) / Usual, 64) : 4, (count - freed) * 2)];
            layout.Items.AsSpan(freed - layout.Skipped, count - freed).CopyTo(more);
            Volatile.Write(ref layout, new Layout(more, freed));
        }

        layout.Items[count++ - layout.Skipped] = block;
        room += size;
        if (isCounted) return true;
        use.Take(size);
        Volatile.Write(ref held, held + size);
        return true;
    }

    private long StartOf(int block)
    {
        if (announced >= 0) return Math.Min(announced, (long)block * Usual);
        return block switch { 0 => 0, 1 => First, 2 => First + Second, _ => First + Second + Third + ((block - 3L) * Usual) };
    }

    private (int Block, int Offset) Find(long at)
    {
        if (announced >= 0) return ((int)(at / Usual), (int)(at % Usual));
        if (at < First) return (0, (int)at);
        if (at < First + Second) return (1, (int)at - First);
        if (at < First + Second + Third) return (2, (int)at - First - Second);
        at -= First + Second + Third;
        return ((int)(at / Usual) + 3, (int)(at % Usual));
    }

    // Replaced as a whole: a reader finds its block in any that was there when its bytes were.
    private sealed record Layout(NativeBlock[] Items, int Skipped);
}

/// <summary>Bytes of native memory in use. Any thread.</summary>
public sealed class MemoryUse
{
    private long bytes;
    private long most = long.MaxValue;

    public long Bytes => Volatile.Read(ref bytes);

    /// <summary>Beyond that nothing is begun that is to be kept.</summary>
    public long Most
    {
        get => Volatile.Read(ref most);
        set => Volatile.Write(ref most, value);
    }

    /// <summary>Whether as much more can be had. No reservation: several loops may go beyond by one body each.</summary>
    internal bool HasRoomFor(long count) => count <= Most - Bytes;

    internal void Take(long count) => Interlocked.Add(ref bytes, count);

    internal void GiveBack(long count) => Interlocked.Add(ref bytes, -count);
}

/// <summary>A body in another coding: made, or wanted.</summary>
internal sealed class CodedBody(byte[] coding, CodedBody? next)
{
    private StoredBody? body;
    private int wanted;
    private volatile bool isSettled;

    public byte[] Coding => coding;

    public CodedBody? Next => next;

    public StoredBody? Body
    {
        get => Volatile.Read(ref body);
        set => Volatile.Write(ref body, value);
    }

    public bool IsSettled
    {
        get => isSettled;
        set => isSettled = value;
    }

    public int Want() => Interlocked.Increment(ref wanted);

    public void Unwant() => Volatile.Write(ref wanted, 0);
}
