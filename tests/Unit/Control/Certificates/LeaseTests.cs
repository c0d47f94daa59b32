// Who may work on a folder.

using System.Diagnostics;
using Weir.Control.Certificates;
using Weir.Tests.Support;
using Weir.Tests.Unit.Control.Discovery;

namespace Weir.Tests.Unit.Control.Certificates;

public sealed class LeaseTests : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("weir-lease-").FullName;
    private readonly HeldTime time = new();

    public void Dispose() => Directory.Delete(path, recursive: true);

    [Fact]
    public void A_process_that_has_ended_is_dead_though_nobody_asked_how()
    {
        // A shell that has become another program never asks after its child.
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"]) { RedirectStandardOutput = true })!;
        try
        {
            var (child, self) = (shell.StandardOutput.ReadLine()!, LeaseOwner.OfThisProcess().Text.Split(' '));
            var stat = File.ReadAllText($"/proc/{child}/stat");
            var owner = $"{self[0]} {self[1]} {self[2]} {child} {stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19]} 00";
            Assert.False(LeaseOwner.IsDead(owner));
            Eventually.Holds(() => LeaseOwner.IsDead(owner), () => File.ReadAllText($"/proc/{child}/stat"));
        }
        finally
        {
            shell.Kill();
            shell.WaitForExit();
        }
    }

    [Fact]
    public void One_has_it_and_the_other_is_told_who()
    {
        var (one, two) = (Lease("one"), Lease("two"));
        Assert.True(one.TryTake(out _));
        Assert.False(two.TryTake(out var holder));
        Assert.Equal("one", holder);
        one.Release();
        Assert.True(two.TryTake(out _));
        Assert.False(one.IsHeld);
    }

    [Fact]
    public void It_is_taken_over_when_it_was_seen_unchanged_for_its_whole_time_and_not_before()
    {
        var (one, two) = (Lease("one"), Lease("two"));
        Assert.True(one.TryTake(out _));
        Pass(Weir.Control.Certificates.Lease.Duration);
        Assert.False(two.TryTake(out _)); // Whatever the clock says, it is seen for the first time.
        Pass(Weir.Control.Certificates.Lease.Duration - TimeSpan.FromSeconds(1));
        Assert.False(two.TryTake(out _));
        Pass(TimeSpan.FromSeconds(1));
        Assert.True(two.TryTake(out _));
        Assert.False(one.TryRenew());
        Assert.False(one.IsHeld);
    }

    [Fact]
    public void It_is_held_for_as_long_as_it_is_renewed()
    {
        var (one, two) = (Lease("one"), Lease("two"));
        Assert.True(one.TryTake(out _));
        for (var i = 0; i < 20; i++)
        {
            Assert.False(two.TryTake(out _));
            Pass(Weir.Control.Certificates.Lease.RenewEvery);
            Assert.True(one.IsDue);
            Assert.True(one.TryRenew());
        }

        Assert.False(two.TryTake(out _));
    }

    [Fact]
    public void Whoever_was_stopped_for_long_does_not_renew_what_may_be_somebody_elses()
    {
        var one = Lease("one");
        Assert.True(one.TryTake(out _));
        Pass(Weir.Control.Certificates.Lease.Duration);
        Assert.False(one.TryRenew());
    }

    [Fact]
    public void Of_many_that_try_at_once_one_has_it()
    {
        for (var round = 0; round < 20; round++)
        {
            var folder = Path.Combine(path, $"{round}");
            Directory.CreateDirectory(folder);
            var all = Enumerable.Range(0, 8).Select(i => new Lease(folder, new LeaseOwner($"number {i}"), time)).ToArray();
            var have = 0;
            Parallel.ForEach(all, new ParallelOptions { MaxDegreeOfParallelism = 8 }, lease =>
            {
                if (lease.TryTake(out _)) Interlocked.Increment(ref have);
            });
            Assert.Equal(1, have);
        }
    }

    [Fact]
    public void A_process_of_this_machine_that_is_dead_holds_nothing()
    {
        using var process = Process.Start("sleep", "60");
        var start = File.ReadAllText($"/proc/{process.Id}/stat").Split(") ")[1].Split(' ')[19];
        var words = LeaseOwner.OfThisProcess().Text.Split(' ');
        var (lives, another) = (string.Join(' ', words[0], words[1], words[2], process.Id, start, "0"), string.Join(' ', words[0], words[1], "pid:[1]", "1", "1", "0"));
        Assert.False(LeaseOwner.IsDead(lives));
        process.Kill();
        process.WaitForExit();
        Assert.True(LeaseOwner.IsDead(lives));
        Assert.False(LeaseOwner.IsDead(another)); // In a container of its own: nothing is known of it.
        Assert.False(LeaseOwner.IsDead(LeaseOwner.OfThisProcess().Text));
        Assert.True(new Lease(path, new LeaseOwner(lives), time).TryTake(out _));
        Assert.True(Lease("two").TryTake(out _));
    }

    private Lease Lease(string owner) => new(path, new LeaseOwner(owner), time);

    private void Pass(TimeSpan span) => time.Advance((long)span.TotalMilliseconds);
}
