using Weir.Engine.Disk;

namespace Weir.Tests.Unit.Engine.Disk;

public sealed class SecretFileTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string folder = Directory.CreateTempSubdirectory("weir-secret-").FullName;

    private string File => Path.Combine(folder, "state", "key");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void It_is_made_once_for_its_owner_alone()
    {
        var made = SecretFile.Get(File, null, out var trouble);
        Assert.NotNull(made);
        Assert.Equal("", trouble);
        Assert.Equal(SecretFile.Bytes, made.Length);
        Assert.Equal(OwnerOnly, System.IO.File.GetUnixFileMode(File));
        Assert.Equal(made, SecretFile.Get(File, null, out _));
        Assert.Equal(["key"], Directory.GetFiles(Path.GetDirectoryName(File)!).Select(Path.GetFileName));
    }

    [Fact]
    public void Of_many_who_make_it_at_once_all_have_the_same()
    {
        var made = new byte[]?[16];
        Parallel.For(0, made.Length, new ParallelOptions { MaxDegreeOfParallelism = made.Length }, i => made[i] = SecretFile.Get(File, null, out _));
        Assert.All(made, one => Assert.Equal(made[0], one));
        Assert.NotNull(made[0]);
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(File)!));
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void One_that_others_may_touch_is_refused(UnixFileMode more)
    {
        SecretFile.Get(File, null, out _);
        System.IO.File.SetUnixFileMode(File, OwnerOnly | more);
        Assert.Null(SecretFile.Get(File, null, out var trouble));
        Assert.Contains("its mode must be 600", trouble, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void One_of_another_length_is_refused_and_left(int length)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllBytes(File, new byte[length]);
        System.IO.File.SetUnixFileMode(File, OwnerOnly);
        Assert.Null(SecretFile.Get(File, null, out var trouble));
        Assert.Contains("does not hold 32 bytes", trouble, StringComparison.Ordinal);
        Assert.Equal(length, new FileInfo(File).Length);
    }

    [Fact]
    public void A_link_or_a_folder_in_its_place_is_refused()
    {
        SecretFile.Get(File, null, out _);
        var link = Path.Combine(folder, "link");
        System.IO.File.CreateSymbolicLink(link, File);
        Assert.Null(SecretFile.Get(link, null, out var trouble));
        Assert.Contains("is a link", trouble, StringComparison.Ordinal);
        Assert.Null(SecretFile.Get(folder, null, out trouble));
        Assert.Contains("is not a file", trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_told()
    {
        SecretFile.Get(File, null, out _);
        Assert.Null(SecretFile.Get(Path.Combine(File, "below", "key"), null, out var trouble));
        Assert.NotEqual("", trouble);
    }
}
