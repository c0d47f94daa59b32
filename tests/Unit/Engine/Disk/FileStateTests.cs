using Weir.Engine.Disk;

namespace Weir.Tests.Unit.Engine.Disk;

public sealed class FileStateTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_file_is_as_it_was_until_anything_of_it_is_another()
    {
        var path = Path.Combine(folder, "a");
        var seen = new HashSet<string>();
        Assert.Equal("", FileState.Of(path));
        void IsNew()
        {
            Assert.True(seen.Add(FileState.Of(path)));
            Assert.False(seen.Add(FileState.Of(path)));
            Assert.DoesNotContain("", seen);
        }

        File.WriteAllText(path, "one");
        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch);
        IsNew();
        File.AppendAllText(path, "more");
        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch);
        IsNew();
        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch.AddTicks(1));
        IsNew();
        File.SetUnixFileMode(path, UnixFileMode.UserRead);
        IsNew();

        // Another one that is like it, and the same one by another way.
        var other = Path.Combine(folder, "b");
        File.Copy(path, other);
        File.SetUnixFileMode(other, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.SetLastWriteTimeUtc(other, DateTime.UnixEpoch.AddTicks(1));
        File.SetUnixFileMode(other, UnixFileMode.UserRead);
        File.Move(other, path, overwrite: true);
        IsNew();
        var link = Path.Combine(folder, "link");
        File.CreateSymbolicLink(link, "a");
        Assert.Equal(FileState.Of(path), FileState.Of(link));
        File.Delete(path);
        Assert.Equal("", FileState.Of(link));
    }
}
