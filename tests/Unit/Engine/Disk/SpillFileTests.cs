using System.Text;
using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Disk;

public sealed class SpillFileTests : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("weir-spill-").FullName;
    private readonly Loop loop = new(new ManualPoller());
    private readonly BufferPool buffers = new(new MemoryBudget(1 << 24));
    private readonly DiskThreads disk = new(0, 2);
    private readonly SpillFolder folder;

    public SpillFileTests() => folder = new SpillFolder(path, 10, disk, Descriptor.CreateNameless);

    public void Dispose() => Directory.Delete(path, recursive: true);

    [Fact]
    public void What_is_appended_is_read_from_anywhere()
    {
        using var file = new SpillFile(loop, buffers, folder);
        Assert.True(Write(file, "abcde"));
        Assert.True(Write(file, "fgh"));
        Assert.Equal(8, file.Length);
        var into = buffers.TryLease(1)!;
        Assert.True(file.TryRead(into, 3));
        Assert.False(file.IsWriting);
        Work();
        Assert.True(file.Collect(out var chunk));
        Assert.Same(into, chunk);
        Assert.Equal("defgh"u8, chunk.Filled);
        buffers.Return(chunk);
    }

    [Fact]
    public void All_files_together_hold_so_much_and_no_more()
    {
        var first = new SpillFile(loop, buffers, folder);
        using var second = new SpillFile(loop, buffers, folder);
        Assert.True(Write(first, "abcde"));
        Assert.True(Write(second, "abcde"));
        Assert.False(Write(second, "f"));
        Assert.Equal(10, folder.Used);
        first.Dispose();
        Work();
        Assert.Equal(5, folder.Used);
        Assert.True(Write(second, "f"));
        Assert.Equal((6, 11), (folder.Used, folder.Written)); // What was given back was written nevertheless.
    }

    [Fact]
    public void A_folder_that_is_not_there_is_told_of()
    {
        var missing = new SpillFolder(Path.Combine(path, "missing"), 10, disk, Descriptor.CreateNameless);
        using var file = new SpillFile(loop, buffers, missing);
        Assert.False(Write(file, "abc"));
        Assert.Equal(1, missing.Failures);
        Assert.Contains("missing", missing.LastFailure, StringComparison.Ordinal);
        file.Dispose();
        Assert.Equal((0, 0), (missing.Used, missing.Written));
    }

    [Fact]
    public void Nobody_puts_a_file_or_link_in_its_place()
    {
        using var made = Descriptor.CreateNameless(path);
        Assert.NotNull(made);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(made));
        Assert.Empty(Directory.GetFileSystemEntries(path));
        Assert.EndsWith(" (deleted)", Descriptor.NameOf(made), StringComparison.Ordinal);
        Assert.Null(Descriptor.CreateNameless("/dev/null"));
    }

    [Fact]
    public void A_full_queue_takes_nothing_and_counts_nothing()
    {
        var (one, two) = (new SpillFile(loop, buffers, folder), new SpillFile(loop, buffers, folder));
        var (a, b, c) = (Chunk("a"), Chunk("b"), Chunk("c"));
        Assert.True(one.TryWrite(a));
        Assert.True(two.TryWrite(b));
        using var three = new SpillFile(loop, buffers, folder);
        Assert.False(three.TryWrite(c));
        Assert.False(three.IsBusy);
        Assert.Equal(2, folder.Used);
        buffers.Return(c);
        one.Dispose(); // Its chunk is the disk's still.
        Assert.Equal(2, buffers.Leased);
        Work();
        Assert.Equal(1, buffers.Leased);
        two.Dispose();
        Assert.Equal(0, buffers.Leased);
        Work();
        Assert.Equal(0, folder.Used);
    }

    private bool Write(SpillFile file, string text)
    {
        var chunk = Chunk(text);
        var good = file.TryWrite(chunk);
        if (good)
        {
            Assert.True(file.IsWriting);
            Work();
            good = file.Collect(out var same);
            Assert.Same(chunk, same);
            Assert.Equal(text, Encoding.ASCII.GetString(same.Filled));
        }

        Assert.False(file.IsBusy);
        buffers.Return(chunk);
        return good;
    }

    private Chunk Chunk(string text)
    {
        var chunk = buffers.TryLease(text.Length)!;
        chunk.End = Encoding.ASCII.GetBytes(text, chunk.Free);
        return chunk;
    }

    private void Work()
    {
        while (disk.TryWork())
        {
        }

        loop.Turn(false);
    }
}
