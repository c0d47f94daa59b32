using System.Security.Cryptography;
using System.Text;
using Weir.Control.Downloads;

namespace Weir.Tests.Unit.Control.Downloads;

public sealed class PartFileTests : IDisposable
{
    private static readonly PartState State = new("http://a/f", "\"v1\"", 10, "sha-256=:AA==:");

    private readonly string folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;

    private string At => Path.Combine(folder, "f");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_state_comes_back_as_it_was_kept()
    {
        State.Write(PartFile.StateOf(At));
        Assert.Equal(State, PartState.Read(PartFile.StateOf(At)));
        (State with { Digest = null }).Write(PartFile.StateOf(At));
        Assert.Equal(State with { Digest = null }, PartState.Read(PartFile.StateOf(At)));
        Assert.Single(Directory.GetFiles(folder));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("{}")]
    [InlineData("""{"url":"u","etag":"\"a\""}""")]
    [InlineData("""{"url":"u","etag":"\"a\"","length":0}""")]
    [InlineData("""{"url":"u","etag":"\"a\"","length":-1}""")]
    [InlineData("""{"url":"u","etag":"\"a\"","length":1.5}""")]
    [InlineData("""{"url":"u","etag":"\"a\"","length":"10"}""")]
    [InlineData("""{"url":"u","etag":"W/\"a\"","length":10}""")]
    [InlineData("""{"url":"u","etag":"a","length":10}""")]
    [InlineData("""{"url":"u","etag":"\"","length":10}""")]
    [InlineData("""{"url":"u","etag":"\"a\r\nX: y\"","length":10}""")]
    [InlineData("""{"url":7,"etag":"\"a\"","length":10}""")]
    public void A_state_that_is_not_whole_is_none(string text)
    {
        File.WriteAllText(At, text);
        Assert.Null(PartState.Read(At));
    }

    [Fact]
    public void Every_cut_of_a_state_is_none()
    {
        State.Write(At);
        var whole = File.ReadAllBytes(At);
        for (var length = 0; length < whole.Length - 1; length++)
        {
            File.WriteAllBytes(At, whole[..length]);
            Assert.Null(PartState.Read(At));
        }
    }

    [Fact]
    public void A_state_has_a_limit_and_may_be_missing()
    {
        Assert.Null(PartState.Read(At));
        File.WriteAllText(At, new string(' ', 65_537 - 60) + """{"url":"u","etag":"\"a\"","length":10}""" + new string(' ', 60));
        Assert.Null(PartState.Read(At));
    }

    [Fact]
    public void What_one_run_left_the_next_goes_on_with()
    {
        using (var first = Open()!)
        {
            Assert.Null(first.Begin(State, 10));
            Assert.Null(first.Append("01234"u8.ToArray()));
        }

        using var second = Open()!;
        Assert.Equal((State, 5), (second.State, second.Length));
        Assert.Null(second.GoOn(3));
        Assert.Null(second.Append("3456789"u8.ToArray()));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Assert.Null(second.HashInto([hash], default));
        Assert.Equal(SHA256.HashData("0123456789"u8), hash.GetCurrentHash());
        Assert.Null(second.Finish());
        Assert.Equal("0123456789", File.ReadAllText(At));
        Assert.Equal([At], Directory.GetFiles(folder));
    }

    [Fact]
    public void What_nothing_tells_of_is_not_gone_on_with()
    {
        File.WriteAllText(PartFile.PartOf(At), "01234");
        using (var none = Open()!) Assert.Null(none.State);
        State.Write(PartFile.StateOf(At));
        using (var good = Open()!) Assert.Equal(State, good.State);
        using (var unwanted = PartFile.TryOpen(At, mayReplace: false, goesOn: false, out _)!) Assert.Null(unwanted.State);
        (State with { Length = 4 }).Write(PartFile.StateOf(At)); // Longer than it can be.
        using (var wrong = Open()!) Assert.Null(wrong.State);
    }

    [Fact]
    public void Beginning_anew_leaves_nothing_of_before()
    {
        File.WriteAllText(PartFile.PartOf(At), "01234");
        State.Write(PartFile.StateOf(At));
        using (var part = Open()!)
        {
            Assert.Null(part.Begin(null, -1));
            Assert.Null(part.Append("x"u8.ToArray()));
        }

        Assert.Equal("x", File.ReadAllText(PartFile.PartOf(At)));
        Assert.False(File.Exists(PartFile.StateOf(At)));
    }

    [Fact]
    public void Where_nothing_came_nothing_is_left()
    {
        using (var part = Open()!) Assert.Null(part.Begin(State, 10));
        Assert.Empty(Directory.GetFiles(folder));
    }

    [Fact]
    public void A_file_that_is_there_stays_unless_it_may_be_replaced()
    {
        File.WriteAllText(At, "mine");
        Assert.Null(PartFile.TryOpen(At, mayReplace: false, goesOn: true, out var trouble));
        Assert.Contains("--force", trouble, StringComparison.Ordinal);
        using (var part = PartFile.TryOpen(At, mayReplace: true, goesOn: true, out _)!)
        {
            Assert.Null(part.Begin(null, 1));
            Assert.Null(part.Append("x"u8.ToArray()));
            Assert.Equal("mine", File.ReadAllText(At));
            Assert.Null(part.Finish());
        }

        Assert.Equal("x", File.ReadAllText(At));
    }

    [Fact]
    public void A_file_that_has_come_meanwhile_stays()
    {
        using var part = Open()!;
        Assert.Null(part.Begin(null, 1));
        Assert.Null(part.Append("x"u8.ToArray()));
        File.WriteAllText(At, "mine");
        Assert.NotNull(part.Finish());
        Assert.Equal("mine", File.ReadAllText(At));
    }

    [Fact]
    public void Two_do_not_write_one_part()
    {
        using var first = Open()!;
        Assert.Null(PartFile.TryOpen(At, mayReplace: false, goesOn: true, out var trouble));
        Assert.StartsWith("cannot write ", trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_written_is_told()
    {
        Assert.Null(PartFile.TryOpen(folder, mayReplace: true, goesOn: true, out var trouble));
        Assert.Contains("is a folder", trouble, StringComparison.Ordinal);
        Assert.Null(PartFile.TryOpen(Path.Combine(folder, "missing", "f"), mayReplace: true, goesOn: true, out trouble));
        Assert.StartsWith("cannot write ", trouble, StringComparison.Ordinal);
        using var part = Open()!;
        Assert.Contains("bytes are needed, and the disk has", part.Begin(State, long.MaxValue), StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_disk_is_told_as_one()
    {
        using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        using var sink = new StreamSink(full);
        Assert.Null(sink.Begin(null, 1));
        Assert.Equal("the disk is full: the output takes no further bytes", sink.Append("x"u8.ToArray()));
        Assert.Equal(0, sink.Length);
    }

    [Fact]
    public void An_output_is_gone_on_with_and_never_begun_anew()
    {
        var stream = new MemoryStream();
        using var sink = new StreamSink(stream);
        Assert.Null(sink.Begin(State, 10));
        Assert.Null(sink.Append("01"u8.ToArray()));
        Assert.Null(sink.GoOn(2));
        Assert.NotNull(sink.GoOn(1));
        Assert.NotNull(sink.Begin(State, 10));
        Assert.False(sink.Stays);
        Assert.Equal("01", Encoding.ASCII.GetString(stream.ToArray()));
    }

    private PartFile? Open() => PartFile.TryOpen(At, mayReplace: false, goesOn: true, out _);
}
