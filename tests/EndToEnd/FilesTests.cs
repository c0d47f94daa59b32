// Files as an operator serves them: what is asked for, what must not be reached, and what a client that leaves gives back.

using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class FilesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-files-").FullName;
    private readonly string root;

    public FilesTests() => root = Directory.CreateDirectory(Path.Combine(folder, "root")).FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("br;q=0.1, gzip;q=0.2", "gzip")]
    [InlineData("gzip;q=0., br;Q=0", "")]
    [InlineData("gzip;\tq=0", "")]
    [InlineData("identity, *;q=0.5", "br")]
    [InlineData("br;q=0, *", "gzip")]
    [InlineData("deflate\r\nAccept-Encoding: br", "br")]
    [InlineData("gzip;q=2, br;x=1", "")]
    [InlineData("", "")]
    public void A_compressed_sibling_is_chosen_by_weight(string accepted, string coding)
    {
        File.WriteAllText(Path.Combine(root, "a.txt"), "plain");
        File.WriteAllText(Path.Combine(root, "a.txt.gz"), "gzip");
        File.WriteAllText(Path.Combine(root, "a.txt.br"), "br");
        using var weir = Start(precompressed: true);
        var answer = Ask(weir, "/a.txt", $"Accept-Encoding: {accepted}\r\n");
        Assert.EndsWith("\r\n\r\n" + (coding.Length == 0 ? "plain" : coding), answer, StringComparison.Ordinal);
        Assert.Equal(coding.Length > 0, answer.Contains($"\r\nContent-Encoding: {coding}\r\n", StringComparison.Ordinal));
        Assert.Contains("\r\nVary: Accept-Encoding\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nContent-Type: text/plain", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Hidden_files_are_not_there_but_those_that_are_well_known()
    {
        string[] there = [".well-known/security.txt", ".well-known/acme-challenge/token"];
        string[] hidden = [".well-known/.secret", ".well-known/.git/config", ".git/config", "sub/.well-known/a", ".well-known.txt", ".hidden"];
        foreach (var name in there.Concat(hidden))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(root, name))!);
            File.WriteAllText(Path.Combine(root, name), "text");
        }

        using var weir = Start();
        foreach (var name in there) Assert.EndsWith("\r\n\r\ntext", Ask(weir, "/" + name), StringComparison.Ordinal);
        foreach (var name in hidden.Append(".well-known/../.git/config").Append("%2ewell-known/../.hidden")) Assert.StartsWith("HTTP/1.1 404 ", Ask(weir, "/" + name), StringComparison.Ordinal);
    }

    [Fact]
    public void Validators_and_ranges_hold_what_they_say()
    {
        var file = Path.Combine(root, "a.txt");
        File.WriteAllText(file, "0123456789");
        File.WriteAllText(Path.Combine(root, "empty.txt"), "");
        using var weir = Start();
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddYears(3));
        Assert.InRange(Modified(Ask(weir, "/a.txt")), DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddMinutes(1));

        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddHours(-1));
        var date = Modified(Ask(weir, "/a.txt")).ToString("R", CultureInfo.InvariantCulture);
        Assert.StartsWith("HTTP/1.1 206 ", Ask(weir, "/a.txt", $"Range: bytes=2-\r\nIf-Range: {date}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 304 ", Ask(weir, "/a.txt", $"If-Modified-Since: {date}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", Ask(weir, "/a.txt", $"If-Modified-Since: {date}\r\nIf-Modified-Since: {date}\r\n"), StringComparison.Ordinal);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
        date = Modified(Ask(weir, "/a.txt")).ToString("R", CultureInfo.InvariantCulture);
        Assert.StartsWith("HTTP/1.1 200 ", Ask(weir, "/a.txt", $"Range: bytes=2-\r\nIf-Range: {date}\r\n"), StringComparison.Ordinal); // It may change within its second.

        Assert.StartsWith("HTTP/1.1 200 ", Ask(weir, "/empty.txt", "Range: bytes=-5\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 416 ", Ask(weir, "/empty.txt", "Range: bytes=0-\r\n"), StringComparison.Ordinal);
        Assert.Matches("^HTTP/1.1 200 OK\r\n(.*\r\n)*Content-Length: 10\r\n(.*\r\n)*\r\n$", Ask(weir, "/a.txt", "", "HEAD"));
        Assert.StartsWith("HTTP/1.1 405 ", Ask(weir, "/a.txt", "", "DELETE"), StringComparison.Ordinal);
    }

    [Fact]
    public void Pipes_unreadable_files_and_long_names_are_not_found_and_hold_nobody_up()
    {
        Assert.Equal(0, Command.Run("mkfifo", [Path.Combine(root, "pipe")]).Code);
        File.WriteAllText(Path.Combine(root, "closed"), "closed");
        File.SetUnixFileMode(Path.Combine(root, "closed"), UnixFileMode.None);
        File.WriteAllText(Path.Combine(root, "a"), "a");
        using var weir = Start();
        for (var i = 0; i < 8; i++) Assert.StartsWith("HTTP/1.1 404 ", Ask(weir, "/pipe"), StringComparison.Ordinal); // More than there are disk threads.
        foreach (var path in new[] { "/closed", "/" + new string('a', 300), "/a/b", "/a/", "/a%00b" })
        {
            Assert.Matches("^HTTP/1.1 40[04] ", Ask(weir, path));
        }

        Assert.EndsWith("\r\n\r\na", Ask(weir, "/a"), StringComparison.Ordinal);
        Assert.Equal(0, weir.Ask("reload").Code);
    }

    [Fact]
    public void A_link_that_is_swapped_while_it_is_asked_for_never_leads_outside()
    {
        File.WriteAllText(Path.Combine(folder, "secret"), "secret");
        File.WriteAllText(Path.Combine(root, "inside"), "inside");
        var (link, other) = (Path.Combine(root, "link"), Path.Combine(root, ".other"));
        File.CreateSymbolicLink(link, "inside");
        using var weir = Start();
        using var stop = new ManualResetEventSlim();
        var swapper = new Thread(() =>
        {
            for (var i = 0; !stop.IsSet; i++)
            {
                File.CreateSymbolicLink(other, i % 2 == 0 ? "../secret" : "inside");
                File.Move(other, link, overwrite: true);
            }
        });
        swapper.Start();
        var inside = 0;
        for (var i = 0; i < 300; i++)
        {
            var answer = Ask(weir, "/link");
            Assert.DoesNotContain("secret", answer, StringComparison.Ordinal);
            if (answer.EndsWith("\r\n\r\ninside", StringComparison.Ordinal)) inside++;
        }

        stop.Set();
        swapper.Join();
        Assert.True(inside > 0);
    }

    [Fact]
    public void Readers_that_leave_give_everything_back()
    {
        File.WriteAllBytes(Path.Combine(root, "small"), new byte[4000]); // All the answers are more than any kernel takes unread.
        using var weir = Start("timeouts: { write: 1s }\nlimits: { min_rate_grace: 1s }\n");
        Ask(weir, "/small");
        var before = Descriptors(weir.Id);
        var pipelined = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("GET /small HTTP/1.1\r\nHost: a\r\n\r\n", 20_000)));
        for (var round = 0; round < 2; round++)
        {
            var clients = Enumerable.Range(0, 10).Select(_ => weir.Connect()).ToArray();

            // They send and send, read nothing, and are ended for it.
            Parallel.ForEach(clients, client =>
            {
                client.Socket.ReceiveBufferSize = 4096;
                client.Socket.Send(pipelined, System.Net.Sockets.SocketFlags.None, out _);
            });
            Eventually.Holds(() => Descriptors(weir.Id) <= before, () => $"{Descriptors(weir.Id)} descriptors, {before} before");
            foreach (var client in clients) client.Dispose();
        }

        Assert.Contains("weir_buffer_refusals_total 0", Metrics(weir), StringComparison.Ordinal);
        var held = double.Parse(Regex.Match(Metrics(weir), "\nweir_buffers_leased (\\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.Equal(0, held);
    }

    private static DateTime Modified(string answer) =>
        DateTime.ParseExact(Regex.Match(answer, "Last-Modified: ([^\r]*)").Groups[1].Value, "R", CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal);

    private static int Descriptors(int process) => Directory.GetFileSystemEntries($"/proc/{process}/fd").Length;

    private static string Metrics(WeirProcess weir)
    {
        Eventually.Holds(() => weir.Said.Contains("admin on ", StringComparison.Ordinal), () => weir.Said);
        var admin = int.Parse(Regex.Match(weir.Said, "admin on \\S*:(\\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        return WeirProcess.Exchange(new IPEndPoint(IPAddress.Loopback, admin), $"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{admin}\r\nConnection: close\r\n\r\n");
    }

    private WeirProcess Start(string more = "", bool precompressed = false) =>
        WeirProcess.Start($"listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\n{more}sites: [{{ files: {{ root: {root}, precompressed: {(precompressed ? "true" : "false")} }} }}]\n");

    private static string Ask(WeirProcess weir, string path, string fields = "", string method = "GET") =>
        weir.Exchange($"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
}
