// All that a body that can be sent again stands on, with a disk that works only when it is told to.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Forwarding;

internal sealed class ReplayWorld : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("weir-replay-").FullName;

    public ReplayWorld(int waitingForDisk = 16, long mostOnDisk = long.MaxValue)
    {
        Loop = new Loop(Poller);
        Buffers = new BufferPool(Budget);
        Bodies = new ReplayBodies(Loop, Buffers);
        Disk = new DiskThreads(0, waitingForDisk);
        Create = Descriptor.CreateNameless;
        Folder = new SpillFolder(path, mostOnDisk, Disk, folder => Create(folder));
    }

    public ManualPoller Poller { get; } = new();

    public Loop Loop { get; }

    public MemoryBudget Budget { get; } = new(1L << 30);

    public BufferPool Buffers { get; }

    public ReplayBodies Bodies { get; }

    public DiskThreads Disk { get; }

    public SpillFolder Folder { get; }

    /// <summary>How a file is made.</summary>
    public Func<string, SafeFileHandle?> Create { get; set; }

    /// <summary>Bytes of all chunks that are out.</summary>
    public long Held
    {
        get
        {
            Buffers.LetGo();
            return Budget.Used;
        }
    }

    public ReplayBody Lease(BodySource live, long memory, long disk = 0) => Bodies.Lease(live, memory, disk, disk == 0 ? null : Folder);

    /// <summary>Does the disk work that waits, and tells the loop.</summary>
    public bool WorkDisk()
    {
        var worked = false;
        while (Disk.TryWork()) worked = true;
        Loop.Turn(false);
        return worked;
    }

    /// <summary>Reads on until there is nothing now, taking so many bytes of each piece at most; does the disk work that is waited for.</summary>
    public BodyStatus Read(ReplayBody body, List<byte> into, int step = int.MaxValue, long most = long.MaxValue)
    {
        while (into.Count < most)
        {
            var status = body.TryRead(out var piece);
            if (status == BodyStatus.Piece)
            {
                Assert.False(piece.IsEmpty);
                var count = (int)Math.Min(Math.Min(step, piece.Length), most - into.Count);
                into.AddRange(piece[..count]);
                body.Advance(count);
            }
            else if (status == BodyStatus.Wait && body.AwaitsDisk)
            {
                Assert.True(WorkDisk());
                Assert.True(body.Ready.IsSet);
            }
            else
            {
                return status;
            }
        }

        return BodyStatus.Piece;
    }

    public List<byte> ReadAll(ReplayBody body, int step = int.MaxValue)
    {
        var all = new List<byte>();
        Assert.Equal(BodyStatus.End, Read(body, all, step));
        return all;
    }

    /// <summary>All is given back, once the disk is through.</summary>
    public void AssertNothingHeld()
    {
        WorkDisk();
        WorkDisk(); // Closing is work, too.
        Assert.Equal(0, Buffers.Leased);
        Assert.Equal(0, Folder.Used);
        Assert.Empty(Directory.GetFileSystemEntries(path));
    }

    public static byte[] Bytes(int count, int from = 0)
    {
        var bytes = new byte[count];
        for (var i = 0; i < count; i++) bytes[i] = (byte)((from + i) * 2654435761L >> 13);
        return bytes;
    }

    public void Dispose() => Directory.Delete(path, recursive: true);
}
