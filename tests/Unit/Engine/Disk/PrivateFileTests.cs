// Files that only their owner may read.

using System.Text;
using Weir.Engine.Disk;

namespace Weir.Tests.Unit.Engine.Disk;

public sealed class PrivateFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-private-").FullName;

    private string File1 => Path.Combine(folder, "file");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_was_written_is_read_and_nobody_else_may()
    {
        PrivateFile.Write(File1, "one"u8);
        PrivateFile.Write(File1, "two"u8);
        Assert.Equal("two", Read(10, out var trouble));
        Assert.Empty(trouble);
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(File1));
        Assert.Single(Directory.EnumerateFiles(folder)); // Nothing stands aside.
    }

    [Fact]
    public void One_that_others_may_read_is_made_private_again_and_told()
    {
        PrivateFile.Write(File1, "one"u8);
        File.SetUnixFileMode(File1, (UnixFileMode)0b110_100_000);
        Assert.Equal("one", Read(10, out var trouble));
        Assert.Contains("could be read by others", trouble, StringComparison.Ordinal);
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(File1));
    }

    [Fact]
    public void One_that_others_may_write_a_link_and_a_folder_are_not_used()
    {
        PrivateFile.Write(File1, "one"u8);
        File.SetUnixFileMode(File1, (UnixFileMode)0b110_000_010);
        Assert.Null(Read(10, out var trouble));
        Assert.Contains("may be written by others", trouble, StringComparison.Ordinal);
        var link = Path.Combine(folder, "link");
        File.CreateSymbolicLink(link, File1);
        Assert.Null(PrivateFile.Read(link, 10, out trouble));
        Assert.Contains("is a link", trouble, StringComparison.Ordinal);
        Assert.Null(PrivateFile.Read(folder, 10, out trouble));
        Assert.Contains("is not a file", trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_is_longer_than_it_may_be_is_not_read()
    {
        PrivateFile.Write(File1, "0123456789"u8);
        Assert.Equal("0123456789", Read(10, out _));
        Assert.Null(Read(9, out var trouble));
        Assert.Contains("more than 9 bytes", trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_many_that_make_it_one_succeeds()
    {
        var made = 0;
        Parallel.For(0, 16, _ =>
        {
            if (PrivateFile.TryCreate(File1, "mine"u8)) Interlocked.Increment(ref made);
        });
        Assert.Equal(1, made);
    }

    [Fact]
    public void A_folder_is_made_private()
    {
        var made = Path.Combine(folder, "a", "b");
        Assert.Null(PrivateFile.MakeFolder(made));
        File.SetUnixFileMode(made, (UnixFileMode)0b111_101_101);
        Assert.Null(PrivateFile.MakeFolder(made));
        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(made));
        Assert.NotNull(PrivateFile.MakeFolder(Path.Combine("/proc", "nowhere")));
    }

    private string? Read(int most, out string trouble)
    {
        using var bytes = PrivateFile.Read(File1, most, out trouble);
        return bytes is null ? null : Encoding.UTF8.GetString(bytes.Span);
    }
}
