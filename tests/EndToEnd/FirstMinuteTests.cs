// What a newcomer does first: weir proxy without a file, and weir run without one. Load is shared, and a server that goes is
// survived.

using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class FirstMinuteTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    // The demonstration's ports are fixed: it has a network of its own, and curl beside it.
    private const string Demonstration = """
        ip link set lo up || exit 3
        "$@" run > said 2>&1 & weir=$!
        tries=0
        until curl -sf http://localhost:8080/ > answer 2> /dev/null; do
          tries=$((tries + 1)); [ $tries -lt 400 ] && kill -0 $weir || { cat said; exit 4; }
          sleep 0.05
        done
        for i in 1 2 3 4; do curl -sf http://localhost:8080/here?n=$i || exit 5; done
        one=$(sed -n 's/.*on ports \([0-9]*\) and .*/\1/p' said)
        curl -s -X POST http://127.0.0.1:$one/stop || exit 6
        tries=0
        until [ "$answers" = "two two two two " ]; do
          tries=$((tries + 1)); [ $tries -lt 400 ] || exit 7
          answers=
          for i in 1 2 3 4; do
            answer=$(curl -sf http://localhost:8080/) || exit 8
            answers="$answers$(echo "$answer" | sed 's/hello from origin \([a-z]*\):.*/\1/') "
          done
        done
        curl -s -o /dev/null http://127.0.0.1:$one/ && exit 9
        curl -sf http://localhost:9900/metrics | grep '^weir_endpoint_connect_failures_total.*[1-9]$' || exit 10
        kill -TERM $weir; wait $weir || exit 11
        grep 'weir: on ' said
        """;

    [Fact]
    public void Proxy_without_a_file_shares_the_load_and_survives_the_loss_of_a_server()
    {
        var gone = false;
        using var one = new RawOrigin((stream, _) =>
        {
            if (Volatile.Read(ref gone)) return false;
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
            return true;
        });
        using var two = new RawOrigin(static (stream, _) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo");
            return true;
        });
        using var weir = WeirProcess.StartCommand("proxy", "--from", "127.0.0.1:0", "--to", one.Url, "--to", two.Url);
        var answers = Enumerable.Range(0, 16).Select(_ => weir.Exchange(Get)[^3..]).ToArray();
        Assert.Equal(["one", "two"], answers.Distinct().Order());
        Volatile.Write(ref gone, true);
        one.Dispose();
        Assert.All(Enumerable.Range(0, 16), _ => Assert.EndsWith("two", weir.Exchange(Get), StringComparison.Ordinal));
        Assert.Equal(0, weir.Ask("status").Code);
        weir.Signal("TERM");
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.True(weir.ExitCode == 0, weir.Said);
    }

    [Fact]
    public void Proxy_says_what_is_wrong_with_its_options()
    {
        var (code, _, error) = WeirProcess.Run("proxy", "--from", "127.0.0.1:0");
        Assert.Equal(2, code);
        Assert.Contains("--to", error, StringComparison.Ordinal);
        (code, _, error) = WeirProcess.Run("proxy", "--from", "nowhere", "--to", "http://127.0.0.1:1");
        Assert.Equal(2, code);
        Assert.Contains("command line:1:", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_demonstration_shares_the_load_and_survives_the_loss_of_an_origin()
    {
        Assert.SkipUnless(Command.Run("unshare", ["-rn", "ip", "link", "set", "lo", "up"]).Code == 0, "no network of its own can be had here");
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var (file, before) = Repository.Program;
        var (code, output, error) = Command.Run("unshare", ["-rn", "sh", "-c", Demonstration, "sh", file, .. before], folder, null, ("XDG_STATE_HOME", folder));
        Assert.True(code == 0, $"{code}: {output}{error}{File.ReadAllText(Path.Combine(folder, "said"))}");
        Assert.Contains("hello from origin one: GET /here?n=", output, StringComparison.Ordinal);
        Assert.Contains("hello from origin two: GET /here?n=", output, StringComparison.Ordinal);
        Assert.Contains("origin one stops", output, StringComparison.Ordinal);
        Assert.Matches("weir: on \\.NET 10\\.[^,]+, Linux [0-9][^,]*, linux", output);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void What_the_machine_refuses_ends_with_1_and_what_is_written_wrong_with_2()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: 200 }]\n");
        var other = Path.Combine(weir.Folder, "other.yaml");
        foreach (var (text, wanted, words) in new[]
        {
            ($"control: {weir.ControlPath}\nlisten: \"127.0.0.1:0\"\nsites: [{{ respond: 200 }}]\n", 1, "another weir answers on the control socket"),
            ($"control: {weir.Folder}/o.sock\nlisten: \"127.0.0.1:{weir.Port}\"\nsites: [{{ respond: 200 }}]\n", 1, "the address is in use"),
            ($"control: {weir.Folder}/o.sock\nlisten: \"127.0.0.1:0\"\naccess_log: {weir.Folder}/none/log\nsites: [{{ respond: 200 }}]\n", 1, "cannot write to "),
            ($"control: {weir.Folder}/o.sock\nlisten: \"127.0.0.1:0\"\nsites: [{{ proxy: nobody }}]\n", 2, "there is no upstream 'nobody'"),
        })
        {
            File.WriteAllText(other, text);
            var (code, _, error) = WeirProcess.Run([], [("XDG_STATE_HOME", Path.Combine(weir.Folder, "unasked"))], "run", "-c", other);
            Assert.True(code == wanted, $"{code}: {error}");
            Assert.Contains(words, error, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(Path.Combine(weir.Folder, "unasked"))); // No default state folder where none is needed.
    }
}
