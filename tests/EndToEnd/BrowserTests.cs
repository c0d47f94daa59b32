// A browser that believes a test's authority. Where the distribution has no Firefox nothing is shown, and that is said.

using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class BrowserTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-browser-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Firefox_shows_a_page_where_it_believes_the_authority()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/firefox-esr") && File.Exists("/usr/bin/certutil"), "there is no firefox-esr with certutil (libnss3-tools) here");
        var pki = new Pki(folder);
        using var weir = WeirProcess.Start($$"""
            listen: { address: "127.0.0.1:0", tls: true }
            access_log: { target: stdout, format: "seen {uri} {tls_version} {status}." }
            sites: [{ hosts: [localhost], tls: { {{Pki.Written(pki.Issue("localhost"))}} }, respond: { body: "<img src=/picture>", headers: { content-type: text/html } } }]
            """);
        Visit(weir.Port, pki.Authority);
        Eventually.Holds(() => weir.Said.Contains("seen / TLSv1.3 200.", StringComparison.Ordinal) && weir.Said.Contains("seen /picture TLSv1.3 200.", StringComparison.Ordinal), () => weir.Said);
    }

    // It ends when it has made a picture of what it shows.
    private void Visit(int port, string authority)
    {
        var profile = Directory.CreateDirectory(Path.Combine(folder, "profile")).FullName;
        Assert.Equal(0, Command.Run("certutil", ["-N", "-d", $"sql:{profile}", "--empty-password"]).Code);
        Assert.Equal(0, Command.Run("certutil", ["-A", "-d", $"sql:{profile}", "-n", "test", "-t", "C,,", "-i", authority]).Code);
        var picture = Path.Combine(folder, "picture.png");
        var done = Command.Run("firefox-esr", ["--headless", "--no-remote", "--profile", profile, "--screenshot", picture, $"https://localhost:{port}/"], patience: TimeSpan.FromMinutes(2), environment: ("HOME", folder));
        Assert.True(File.Exists(picture), done.Output + done.Error);
    }
}
