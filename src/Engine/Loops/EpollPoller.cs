// Events from the kernel. A descriptor is registered once; what the kernel gives back is a slot and a generation, so
// that an event of a closed descriptor in the same batch cannot reach its successor. Thread: the loop's, but for Wake.

using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Weir.Engine.Loops;

/// <summary>What an <see cref="EpollPoller"/> tells of: a socket, a listener.</summary>
public interface IPolled
{
    /// <summary>Called in the loop's dispatch with the kernel's event bits.</summary>
    void OnEvents(PollEvents events);
}

/// <summary>The kernel's event bits (epoll's own values).</summary>
[Flags]
public enum PollEvents : uint
{
    None = 0,
    Readable = Epoll.In,
    Writable = Epoll.Out,
    Error = Epoll.Error,
    HangUp = Epoll.HangUp,
    PeerClosed = Epoll.PeerClosed,
}

/// <summary>The poller over Linux's epoll.</summary>
public sealed unsafe class EpollPoller : Poller
{
    private const int MostEvents = 256;
    private const ulong WakeSlot = ulong.MaxValue;

    private readonly int epoll;
    private readonly int wakeEvent;
    private readonly byte* events;
    private IPolled?[] slots = new IPolled?[256];
    private uint[] generations = new uint[256];
    private int[] freeSlots = new int[256];
    private int freeCount;
    private int used;
    private int pending;
    private int dispatched;
    private int waking;
    private bool disposed;

    public EpollPoller()
    {
        epoll = Epoll.Create();
        wakeEvent = Epoll.CreateEvent();
        if (epoll < 0 || wakeEvent < 0) throw new IOException($"epoll: {Errno.Describe(Errno.Last)}");
        events = (byte*)NativeMemory.Alloc(MostEvents, (nuint)sizeof(AlignedEpollEvent));
        if (Epoll.Control(epoll, Epoll.Add, wakeEvent, Epoll.In | Epoll.EdgeTriggered, WakeSlot) < 0) throw new IOException($"epoll: {Errno.Describe(Errno.Last)}");
    }

    public override Random Random { get; } = new();

    public override DateTime UtcNow => DateTime.UtcNow;

    public override long Milliseconds() => Stopwatch.GetTimestamp() / 1_000_000; // Nanoseconds, on Linux.

    public override long Microseconds() => Stopwatch.GetTimestamp() / 1_000;

    /// <summary>Registers a descriptor, edge-triggered for everything, until it is closed.</summary>
    /// <returns>The slot to give to <see cref="Forget"/>, or -1 with <see cref="Errno.Last"/>.</returns>
    public int Watch(int descriptor, IPolled polled) =>
        Register(descriptor, polled, Epoll.In | Epoll.Out | Epoll.PeerClosed | Epoll.EdgeTriggered);

    /// <summary>Registers a listening descriptor, level-triggered for reading.</summary>
    /// <param name="shared">Several loops watch the same descriptor: wake one of them only.</param>
    public int WatchListener(int descriptor, IPolled polled, bool shared) =>
        Register(descriptor, polled, Epoll.In | (shared ? Epoll.Exclusive : 0));

    /// <summary>Stops reporting events of a slot. A descriptor that stays open is taken out of the set too.</summary>
    public void Forget(int slot, int stillOpenDescriptor = -1)
    {
        if (stillOpenDescriptor >= 0) _ = Epoll.Control(epoll, Epoll.Delete, stillOpenDescriptor, 0, 0);
        slots[slot] = null;
        generations[slot]++;
        if (freeCount == freeSlots.Length) Array.Resize(ref freeSlots, freeSlots.Length * 2);
        freeSlots[freeCount++] = slot;
    }

    public override int Wait(int timeout)
    {
        // A batch that an exception broke off is gone on with: its edges do not come again.
        if (dispatched < pending) return pending - dispatched;
        dispatched = 0;
        pending = Math.Max(0, Epoll.Wait(epoll, events, MostEvents, timeout));
        return pending;
    }

    public override int Batch => pending;

    public override void Dispatch()
    {
        while (dispatched < pending)
        {
            var i = dispatched++;
            uint bits;
            ulong data;
            if (EpollEvents.Packed)
            {
                var e = (PackedEpollEvent*)(events + (i * sizeof(PackedEpollEvent)));
                bits = e->Events;
                data = e->Data;
            }
            else
            {
                var e = (AlignedEpollEvent*)(events + (i * sizeof(AlignedEpollEvent)));
                bits = e->Events;
                data = e->Data;
            }

            if (data == WakeSlot)
            {
                // Edge-triggered: the counter need not be read, the next write is a new edge.
                Volatile.Write(ref waking, 0);
                continue;
            }

            var slot = (int)(uint)data;
            if (generations[slot] == (uint)(data >> 32)) slots[slot]?.OnEvents((PollEvents)bits);
        }
    }

    public override void Wake()
    {
        if (Interlocked.Exchange(ref waking, 1) != 0) return;
        var one = 1UL;
        _ = DescriptorCalls.write(wakeEvent, &one, sizeof(ulong));
    }

    public override void Dispose()
    {
        if (disposed) return;
        disposed = true;
        _ = DescriptorCalls.close(wakeEvent);
        _ = DescriptorCalls.close(epoll);
        NativeMemory.Free(events);
        GC.SuppressFinalize(this);
    }

    // Whoever may still wake this loop holds it: only when nobody does are the descriptors given back.
    ~EpollPoller() => Dispose();

    private int Register(int descriptor, IPolled polled, uint wanted)
    {
        var slot = freeCount > 0 ? freeSlots[--freeCount] : used++;
        if (slot >= slots.Length)
        {
            Array.Resize(ref slots, slots.Length * 2);
            Array.Resize(ref generations, generations.Length * 2);
        }

        slots[slot] = polled;
        if (Epoll.Control(epoll, Epoll.Add, descriptor, wanted, ((ulong)generations[slot] << 32) | (uint)slot) == 0) return slot;
        var error = Errno.Last;
        Forget(slot);
        Errno.Restore(error);
        return -1;
    }
}

internal static unsafe partial class DescriptorCalls
{
    [LibraryImport("libc")]
    [SuppressGCTransition]
    public static partial nint write(int descriptor, void* bytes, nuint count);

    [LibraryImport("libc")]
    public static partial int close(int descriptor);
}
