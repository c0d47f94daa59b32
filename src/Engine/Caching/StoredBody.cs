// A body in native memory. One fill writes it, any number of readers on any loop follow: bytes that were written never change,
// and what has been written is told by one number, set after the bytes. Who waits for more is woken on its own loop.

using Weir.Engine.Exchanges;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching;

/// <summary>A body that is kept, or is on its way. Counted: who reads it holds a reference.</summary>
public sealed class StoredBody
{
    // Blocks of a body whose length is not known grow, so that small ones stay small.
    private const int First = 4096, Second = 16384, Third = 65536, Usual = 262_144;

    private readonly Lock door = new();
    private readonly MemoryUse use;
    private readonly long announced;
    private NativeBlock[] blocks = [];
    private int count;
    private long room; // In the blocks there are.
    private long written;
    private int references = 1;
    private StoredReader? waiting;
    private CodedBody? coded; // Under the door; never changed once it is there.
    private volatile bool isEnded;
    private FaultCause failure;

    /// <param name="length">Bytes in the body; -1: its end will tell.</param>
    /// <param name="use">Where its memory is counted.</param>
    public StoredBody(long length, MemoryUse use)
    {
        announced = length;
        this.use = use;
        if (length == 0) isEnded = true;
    }

    /// <summary>Bytes in the whole body; -1 while only its end will tell. Any thread.</summary>
    public long Length => announced >= 0 ? announced : isEnded ? Volatile.Read(ref written) : -1;

    /// <summary>Bytes that can be read. Any thread.</summary>
    public long Written => Volatile.Read(ref written);

    /// <summary>Whether nothing more comes: it is whole, or broken. Any thread.</summary>
    public bool IsEnded => isEnded;

    /// <summary>Why it will never be whole. Meaningful once it has ended.</summary>
    public FaultCause Failure => failure;

    public bool IsWhole => isEnded && failure == FaultCause.None;

    /// <summary>In how many pieces it lies.</summary>
    internal int Pieces => Volatile.Read(ref count);

    /// <summary>Native memory it holds, in bytes, its other codings included.</summary>
    public long Taken
    {
        get
        {
            var taken = Volatile.Read(ref room);
            for (var one = Volatile.Read(ref coded); one is not null; one = one.Next) taken += one.Body?.Taken ?? 0;
            return taken;
        }
    }

    public void Hold() => Interlocked.Increment(ref references);

    public void LetGo()
    {
        if (Interlocked.Decrement(ref references) > 0) return;
        for (var i = 0; i < count; i++) blocks[i].Free();
        use.GiveBack(room);
        for (var one = coded; one is not null; one = one.Next) one.Body?.LetGo();
    }

    /// <summary>The same body in a coding; null: it is not there. Any thread that holds a reference.</summary>
    internal StoredBody? Coded(byte[] coding) => Find(coding)?.Body;

    /// <summary>Notes that it is wanted in a coding.</summary>
    /// <returns>How often it was, this time included; 0: it is there, or is not worth having.</returns>
    internal int Wanted(byte[] coding)
    {
        if (Find(coding) is { } known) return known.IsSettled ? 0 : known.Want();
        lock (door)
        {
            if (Find(coding) is null) Volatile.Write(ref coded, new CodedBody(coding, coded));
            return Find(coding)!.Want();
        }
    }

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
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var at = written;
        if (announced >= 0 && bytes.Length > announced - at) bytes = bytes[..(int)(announced - at)];
        while (!bytes.IsEmpty)
        {
            if (at == room) AddBlock();
            var (block, offset) = Find(at);
            var part = bytes[..Math.Min(bytes.Length, blocks[block].Length - offset)];
            part.CopyTo(blocks[block].Bytes[offset..]);
            at += part.Length;
            bytes = bytes[part.Length..];
        }

        Volatile.Write(ref written, at);
        Wake();
    }

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
        var there = Math.Min(Volatile.Read(ref written) - offset, most);
        if (there <= 0) return default;
        var (block, at) = Find(offset);
        var bytes = Volatile.Read(ref blocks)[block].Bytes[at..];
        return bytes.Length > there ? bytes[..(int)there] : bytes;
    }

    /// <summary>Registers a reader to be woken, unless there is more already.</summary>
    internal bool TryWait(StoredReader reader, long beyond)
    {
        lock (door)
        {
            reader.NextWaiting = waiting;
            Volatile.Write(ref waiting, reader);
            Interlocked.MemoryBarrier(); // Listed first, then looked: what comes after the look finds it listed.
            if (isEnded || written > beyond)
            {
                waiting = reader.NextWaiting;
                reader.NextWaiting = null;
                return false;
            }

            reader.IsListed = true;
            return true;
        }
    }

    internal void StopWaiting(StoredReader reader)
    {
        lock (door)
        {
            if (!reader.IsListed) return;
            reader.IsListed = false;
            ref var place = ref waiting;
            while (place != reader) place = ref place!.NextWaiting;
            place = reader.NextWaiting;
            reader.NextWaiting = null;
        }
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

    private void AddBlock()
    {
        var size = announced >= 0 ? (int)Math.Min(announced - room, Usual) : count switch { 0 => First, 1 => Second, 2 => Third, _ => Usual };
        if (count == blocks.Length)
        {
            var more = new NativeBlock[Math.Max(announced >= 0 ? (int)Math.Min((announced + Usual - 1) / Usual, 64) : 4, count * 2)];
            blocks.AsSpan(0, count).CopyTo(more);
            Volatile.Write(ref blocks, more);
        }

        blocks[count++] = NativeBlock.Allocate(size);
        use.Take(size);
        Volatile.Write(ref room, room + size);
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
}

/// <summary>Bytes of native memory in use. Any thread.</summary>
public sealed class MemoryUse
{
    private long bytes;

    public long Bytes => Volatile.Read(ref bytes);

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
}
