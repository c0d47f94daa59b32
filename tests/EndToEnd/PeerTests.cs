// Programs of the distribution through the proxy: what they do with it is what they do without it.

using System.Diagnostics;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed partial class PeerTests
{
    [Fact]
    public void WebDAV_suite_says_the_same_with_and_without()
    {
        using var origin = new Lighttpd();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"http://127.0.0.1:{origin.Port}\" }}]\n");
        var direct = Litmus(origin, origin.Port);
        var through = Litmus(origin, weir.Port);
        Assert.True(direct.Count(static line => line.Contains("pass", StringComparison.Ordinal)) > 80, string.Join('\n', direct));
        Assert.Equal(direct, through);
    }

    [Fact]
    public void Git_clones_pushes_and_fetches()
    {
        using var origin = new Lighttpd();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"http://127.0.0.1:{origin.Port}\" }}]\n");
        var url = $"http://127.0.0.1:{weir.Port}/git/one.git";
        var work = Path.Combine(origin.Folder, "work");
        Git(origin.Folder, "init", "-q", "--bare", "-b", "main", "git/one.git");
        Git(Path.Combine(origin.Folder, "git/one.git"), "config", "http.receivepack", "true");
        Git(origin.Folder, "clone", "-q", url, work);
        var content = new byte[3 << 20];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(Path.Combine(work, "large"), content);
        Git(work, "add", "large");
        Git(work, "commit", "-q", "-m", "large");
        Git(work, "push", "-q", "origin", "HEAD:main"); // Larger than http.postBuffer: chunked.
        File.WriteAllText(Path.Combine(work, "small"), "small");
        Git(work, "add", "small");
        Git(work, "commit", "-q", "-m", "small");
        Git(work, "push", "-q", "origin", "HEAD:main"); // With a length.
        Git(origin.Folder, "clone", "-q", url, "again");
        Assert.Equal(content, File.ReadAllBytes(Path.Combine(origin.Folder, "again", "large")));
        Git(Path.Combine(origin.Folder, "again"), "fetch", "-q");
        Git(Path.Combine(origin.Folder, "again"), "fsck", "--full");
    }

    [Fact]
    public void A_load_generator_sees_no_fault_and_an_origin_that_restarts_is_used_again()
    {
        var folder = Directory.CreateTempSubdirectory("weir-nginx-").FullName;
        var port = Lighttpd.FreePort();
        File.WriteAllText(Path.Combine(folder, "nginx.conf"), $$"""
            worker_processes 1; daemon off; master_process off; pid {{folder}}/pid; error_log stderr crit;
            events { worker_connections 1024; }
            http {
              access_log off; keepalive_requests 1000;
              client_body_temp_path {{folder}}/b; proxy_temp_path {{folder}}/p; fastcgi_temp_path {{folder}}/f; uwsgi_temp_path {{folder}}/u; scgi_temp_path {{folder}}/s;
              server { listen 127.0.0.1:{{port}} backlog=1024; location / { return 200 "hello"; } }
            }
            """);
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"http://127.0.0.1:{port}\" }}]\n");
        using (Nginx(folder))
        {
            WaitForAnswer(weir, "HTTP/1.1 200 ");
            var load = Command.Run("h2load", ["--h1", "-c", "64", "-n", "20000", $"http://127.0.0.1:{weir.Port}/"]);
            Assert.True(load.Output.Contains("20000 succeeded, 0 failed, 0 errored, 0 timeout", StringComparison.Ordinal), load.Output + load.Error);
            Assert.Contains("20000 2xx", load.Output, StringComparison.Ordinal);
        }

        WaitForAnswer(weir, "HTTP/1.1 502 ");
        using (Nginx(folder)) WaitForAnswer(weir, "HTTP/1.1 200 ");
        Directory.Delete(folder, recursive: true);
    }

    private static Stopper Nginx(string folder) =>
        new(Process.Start(new ProcessStartInfo("/usr/sbin/nginx", ["-c", Path.Combine(folder, "nginx.conf"), "-p", folder]))!);

    private static void WaitForAnswer(WeirProcess weir, string start)
    {
        var until = Stopwatch.StartNew();
        while (true)
        {
            var answer = weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            if (answer.StartsWith(start, StringComparison.Ordinal)) return;
            Assert.True(until.Elapsed < TimeSpan.FromSeconds(15), answer);
        }
    }

    private static void Git(string folder, params string[] arguments)
    {
        string[] settings = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "safe.directory=*", "-c", "init.defaultBranch=main"];
        var done = Command.Run("git", settings.Concat(arguments), folder, null, ("GIT_TERMINAL_PROMPT", "0"), ("HOME", folder));
        Assert.True(done.Code == 0, string.Join(' ', arguments) + ": " + done.Output + done.Error);
    }

    // Each test's verdict, in order.
    private static string[] Litmus(Lighttpd origin, int port)
    {
        var work = Directory.CreateDirectory(Path.Combine(origin.Folder, $"litmus-{port}")).FullName;
        var ran = Command.Run("litmus", ["-k", $"http://127.0.0.1:{port}/dav/"], work);
        return [.. VerdictPattern().Matches(ran.Output.Replace('\r', '\n')).Select(static match => match.Value)];
    }

    [GeneratedRegex(@"^ ?\d+\. \w+\.+ (pass|FAIL|SKIPPED|WARNING).*$|^<- summary.*$", RegexOptions.Multiline)]
    private static partial Regex VerdictPattern();

    /// <summary>A process that is killed when disposed.</summary>
    private sealed class Stopper(Process process) : IDisposable
    {
        public void Dispose()
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
    }
}
