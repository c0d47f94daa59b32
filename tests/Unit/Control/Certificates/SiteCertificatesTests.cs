using System.Text;
using Weir.Control.Certificates;
using Weir.Engine.Observe;
using Weir.Engine.Tls;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Certificates;

public sealed class SiteCertificatesTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly TestCertificates made = new(Directory.CreateTempSubdirectory("weir-unit-").FullName);
    private readonly Lines lines = new();
    private readonly ErrorLog errors;
    private readonly SiteCertificates site;

    public SiteCertificatesTests()
    {
        errors = new ErrorLog(lines);
        site = new SiteCertificates("a.test", errors);
    }

    public void Dispose() => Directory.Delete(made.Folder, recursive: true);

    [Fact]
    public void A_change_is_taken_once_it_has_been_still_for_a_look()
    {
        made.Issue("a", ["a.test"], serial: [1]);
        Take();
        var first = site.Site.Shown;
        made.Issue("a", ["a.test"], serial: [2]);
        site.Look(Now);
        Assert.Same(first, site.Site.Shown);
        site.Look(Now);
        Assert.NotSame(first, site.Site.Shown);
        Assert.Equal("02", site.Shown.Single().Serial);
        site.Look(Now);
        Assert.Equal(2, Said("shows the"));
    }

    [Fact]
    public void What_is_wrong_is_said_once_and_what_was_shown_stays()
    {
        made.Issue("a", ["a.test"]);
        Take();
        var first = site.Site.Shown;
        File.Delete(made.At("a.key"));
        for (var i = 0; i < 5; i++) site.Look(Now);
        Assert.Same(first, site.Site.Shown);
        Assert.Equal(1, Said($"there is no file '{made.At("a.key")}'; the certificate that was shown before stays"));
        Assert.Contains("there is no file", site.Trouble, StringComparison.Ordinal);
        made.Issue("a", ["a.test"]);
        for (var i = 0; i < 2; i++) site.Look(Now);
        Assert.NotSame(first, site.Site.Shown);
        Assert.Null(site.Trouble);
    }

    // A session goes on without a certificate being asked for: with the list of revoked ones, sessions change.
    [Fact]
    public void Sessions_end_where_what_clients_are_judged_by_changes()
    {
        made.Issue("a", ["a.test"]);
        var clients = new ClientDemands(made.At("issuer.pem"), made.At("crl.pem"), IsRequired: true);
        made.Revoke("crl.pem");
        site.Take(site.Load([Files("a")], clients), ["a.test"], staples: true, Now);
        var first = site.Site.SessionContext;
        made.Issue("a", ["a.test"]);
        for (var i = 0; i < 2; i++) site.Look(Now);
        Assert.Equal(first, site.Site.SessionContext);
        made.Revoke("crl.pem", 77);
        for (var i = 0; i < 2; i++) site.Look(Now);
        Assert.NotEqual(first, site.Site.SessionContext);
        var second = site.Site.SessionContext;
        File.Copy(made.At("root.pem"), made.At("issuer.pem"), overwrite: true);
        for (var i = 0; i < 2; i++) site.Look(Now);
        Assert.NotEqual(second, site.Site.SessionContext);
        var other = new SiteCertificates("b", errors);
        other.Take(other.Load([Files("a")], clients), ["a.test"], staples: true, Now);
        Assert.Equal(other.Site.SessionContext, site.Site.SessionContext); // On every node.
    }

    [Fact]
    public void Unchanged_files_are_not_read_again()
    {
        made.Issue("a", ["a.test"]);
        Take();
        var first = site.Site.Shown;
        Take();
        Assert.Same(first, site.Site.Shown);
    }

    [Fact]
    public void Keys_that_are_shown_no_more_are_let_go_of_at_once()
    {
        made.Issue("a", ["a.test"]);
        Take();
        var first = site.Site.Shown!;
        var loaded = site.Load([Files("a")], null); // A reload begins...
        made.Issue("a", ["a.test"], serial: [2]);
        for (var i = 0; i < 2; i++) site.Look(Now);
        Assert.True(first.IsDisposed);
        site.Take(loaded, ["a.test"], staples: true, Now); // ...and ends after what it found was replaced.
        Assert.False(site.Site.Shown!.IsDisposed);
        Assert.Equal("02", site.Shown.Single().Serial);
        made.Issue("b", ["a.test"]);
        var refused = site.Load([Files("b")], null);
        site.Discard(refused);
        Assert.True(refused.Shown!.IsDisposed);
        var last = site.Site.Shown;
        site.End();
        Assert.True(last.IsDisposed);
        Assert.Null(site.Site.Shown);
    }

    [Fact]
    public void Sessions_of_clients_that_were_judged_by_other_files_are_none_of_the_sites()
    {
        made.Issue("a", ["a.test"]);
        File.Copy(made.At("root.pem"), made.At("clients.pem"));
        site.Take(site.Load([Files("a")], new ClientDemands(made.At("clients.pem"), null, true)), ["a.test"], staples: true, Now);
        var before = site.Site.SessionContext;
        File.SetLastWriteTimeUtc(made.At("clients.pem"), DateTime.UtcNow.AddMinutes(-1));
        for (var i = 0; i < 2; i++) site.Look(Now);
        Assert.Equal(2, Said("shows the"));
        Assert.Equal(before, site.Site.SessionContext); // The same, on this node as on others.
        File.Copy(made.At("issuer.pem"), made.At("clients.pem"), overwrite: true);
        for (var i = 0; i < 2; i++) site.Look(Now);
        Assert.NotEqual(before, site.Site.SessionContext);
    }

    [Fact]
    public void One_from_tomorrow_on_is_shown_tomorrow()
    {
        made.Issue("a", ["a.test"]);
        Take();
        var first = site.Site.Shown;
        made.Issue("a", ["a.test"], from: Now.AddDays(1));
        for (var i = 0; i < 3; i++) site.Look(Now);
        Assert.Same(first, site.Site.Shown);
        Assert.Equal(1, Said("is not valid yet"));
        site.Look(Now.AddDays(1).AddSeconds(1));
        Assert.NotSame(first, site.Site.Shown);
    }

    [Theory]
    [InlineData(90, new[] { 31, 30, 29, 7, 6, 1, 0, -1 }, "30 7 1 0")]
    [InlineData(47, new[] { 31, 20, 7, 6, 1, 0 }, "7 1 0")] // Renewed at a third of its life: no word before that.
    [InlineData(6, new[] { 5, 2, 1, 0 }, "1 0")]
    public void The_end_is_told_ahead_once_for_each_mark(int life, int[] daysLeft, string told)
    {
        var until = Now.AddDays(life);
        made.Issue("a", ["a.test"], from: Now, until: until);
        Take();
        var marks = new List<int>();
        foreach (var days in daysLeft)
        {
            var before = Said("expire");
            for (var i = 0; i < 3; i++) site.Look(until.AddDays(-days));
            if (Said("expire") > before) marks.Add(days);
        }

        Assert.Equal(told, string.Join(' ', marks));
    }

    [Fact]
    public void A_weak_key_is_warned_of()
    {
        made.SelfSign("weak", ["a.test"], "rsa-1024");
        var findings = LoadedCertificates.Read([Files("weak")], null).Findings(["a.test"], Now);
        Assert.Contains(findings, f => !f.IsError && f.Text == $"the key of the certificate in '{made.At("weak.pem")}' is weak: RSA 1024, where clients ask for 2048 at least");
    }

    private CertificateFiles Files(string name) => new(made.At(name + ".pem"), made.At(name + ".key"));

    private void Take() => site.Take(site.Load([Files("a")], null), ["a.test"], staples: true, Now);

    private int Said(string text)
    {
        errors.Drain();
        return lines.All.Count(l => l.Contains(text, StringComparison.Ordinal));
    }

    private sealed class Lines : LogTarget
    {
        public List<string> All { get; } = [];

        public override void Reopen()
        {
        }

        protected override void Write(ReadOnlySpan<byte> lines) => All.AddRange(Encoding.UTF8.GetString(lines).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
