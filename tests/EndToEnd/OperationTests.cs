using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class OperationTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Fact]
    public void Reloads_leave_tunnels_downloads_and_connections_alone()
    {
        using var origin = new RawOrigin(static (stream, head) =>
        {
            if (head.Contains("Upgrade: echo", StringComparison.OrdinalIgnoreCase))
            {
                RawOrigin.Send(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
                int b;
                while ((b = stream.ReadByte()) >= 0) stream.WriteByte((byte)b);
                return false;
            }

            return RawOrigin.Hello(stream, head);
        });
        string Configuration(int n) => $"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ match: /n, respond: {{ body: \"{n}\" }} }}], proxy: \"{origin.Url}\" }}]\n";
        using var weir = WeirProcess.Start(Configuration(0));
        var port = weir.Port;
        using var tunnel = weir.Connect();
        tunnel.Write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"u8);
        var begun = new StringBuilder();
        while (!begun.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) begun.Append((char)tunnel.ReadByte());
        using var kept = weir.Connect();

        for (var n = 1; n <= 20; n++)
        {
            File.WriteAllText(weir.ConfigPath, $"control: {weir.ControlPath}\nloops: 2\n" + Configuration(n));
            var (code, _, error) = weir.Ask("reload");
            Assert.True(code == 0, error);
            kept.Write("GET /n HTTP/1.1\r\nHost: a\r\n\r\n"u8);
            Assert.EndsWith($"\r\n\r\n{n}", ReadAnswer(kept), StringComparison.Ordinal);
            tunnel.WriteByte((byte)n);
            Assert.Equal(n, tunnel.ReadByte());
        }

        File.WriteAllText(weir.ConfigPath, $"control: {weir.ControlPath}\nlisten: \"127.0.0.1:0\"\nsites: [{{ porxy: x }}]\n");
        var (refused, _, why) = weir.Ask("reload");
        Assert.Equal(1, refused);
        Assert.Contains("did you mean 'proxy'?", why, StringComparison.Ordinal);
        kept.Write("GET /n HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        Assert.EndsWith("\r\n\r\n20", ReadAnswer(kept), StringComparison.Ordinal);
        Assert.Equal(port, weir.Port);
    }

    [Fact]
    public void A_reload_that_cannot_bind_changes_nothing()
    {
        using var origin = new RawOrigin();
        using var taken = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nupstreams: {{ u: \"{origin.Url}\" }}\nsites: [{{ proxy: u }}]\n");
        File.WriteAllText(weir.ConfigPath, $"control: {weir.ControlPath}\nloops: 2\nlisten: [\"127.0.0.1:0\", \"127.0.0.1:{taken.Port}\"]\nupstreams: {{ u: \"{taken.Url}\" }}\nsites: [{{ proxy: u }}]\n");
        Assert.Equal(1, weir.Ask("reload").Code);
        Assert.EndsWith("hello", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.Single(origin.Received);
        Assert.Empty(taken.Received);
    }

    [Fact]
    public void Terminating_drains_what_is_under_way()
    {
        using var asked = new ManualResetEventSlim();
        using var answer = new ManualResetEventSlim();
        using var origin = new RawOrigin((stream, head) =>
        {
            asked.Set();
            answer.Wait();
            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        using var idle = weir.Connect();
        using var busy = weir.Connect();
        busy.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        asked.Wait();
        weir.Signal("TERM");
        Assert.Equal("", WeirProcess.ReadToEnd(idle));
        Assert.Throws<SocketException>(() => ConnectUntilRefused(weir));
        answer.Set();
        var text = WeirProcess.ReadToEnd(busy);
        Assert.EndsWith("hello", text, StringComparison.Ordinal);
        Assert.Contains("Connection: close", text, StringComparison.Ordinal);
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(10)));
        Assert.Equal(0, weir.ExitCode);
    }

    [Fact]
    public void Starting_twice_on_one_address_fails()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: 200 }]\n");
        var other = Path.Combine(weir.Folder, "other.yaml");
        File.WriteAllText(other, $"control: {weir.Folder}/other.sock\nlisten: \"127.0.0.1:{weir.Port}\"\nsites: [{{ respond: 200 }}]\n");
        var (code, _, error) = WeirProcess.Run("run", "-c", other);
        Assert.Equal(1, code);
        Assert.Contains("in use", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Unix_sockets_serve_on_both_sides()
    {
        var folder = Directory.CreateTempSubdirectory("weir-unix-").FullName;
        using var inner = WeirProcess.Start($"listen: [\"127.0.0.1:0\", \"unix:{folder}/in.sock\"]\nsites: [{{ respond: {{ body: \"inner\" }} }}]\n");
        using var outer = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"http://unix:{folder}/in.sock\" }}]\n");
        Assert.EndsWith("inner", outer.Exchange(Get), StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void The_admin_listener_asks_for_its_token()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nadmin: { address: \"127.0.0.1:0\", token: 0123456789abcdef }\nsites: [{ respond: 200 }]\n");
        Assert.Equal(0, weir.Ask("status").Code);
        var status = JsonDocument.Parse(weir.Ask("status", "--json").Output).RootElement;
        Assert.False(status.GetProperty("draining").GetBoolean());
        Assert.Equal(0, weir.Ask("drain").Code);
        Assert.True(JsonDocument.Parse(weir.Ask("status", "--json").Output).RootElement.GetProperty("draining").GetBoolean());
        Assert.Contains("Connection: close", weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Access_records_are_json_and_survive_rotation()
    {
        var log = Path.Combine(Directory.CreateTempSubdirectory("weir-log-").FullName, "access.log");
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\naccess_log: {log}\nsites: [{{ respond: 204 }}]\n");
        weir.Exchange("GET /a\"b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        weir.Exchange("GET /one HTTP/1.1\r\nHost: a\r\nUser-Agent: x\"y\\z\u00e9\r\nConnection: close\r\n\r\n");
        var lines = WaitForLines(log, 2); // two connections may live on two loops, whose records are drained one loop after the other
        var refused = Assert.Single(lines, static line => line.GetProperty("status").GetInt32() == 400);
        Assert.Equal("CH", refused.GetProperty("ending").GetString());
        var served = Assert.Single(lines, static line => line.GetProperty("status").GetInt32() == 204);
        Assert.Equal("x\"y\\z\u00e9", served.GetProperty("user_agent").GetString());
        File.Move(log, log + ".1");
        weir.Signal("USR1");
        WaitFor(() =>
        {
            weir.Exchange("GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            return File.Exists(log);
        });
        Assert.Equal("/two", WaitForLines(log, 1)[0].GetProperty("uri").GetString());
    }

    [Fact]
    public void Check_explain_schema_and_version_answer()
    {
        var folder = Directory.CreateTempSubdirectory("weir-cli-").FullName;
        var good = Path.Combine(folder, "good.yaml");
        File.WriteAllText(good, "listen: \":8080\"\nsites:\n  - hosts: [a.example]\n    routes:\n      - match: /api/**\n        rewrite: { strip_prefix: /api }\n        proxy: \"http://127.0.0.1:9000/base\"\n");
        Assert.Equal(0, WeirProcess.Run("check", good).Code);
        Assert.Equal(0, WeirProcess.Run("check", "-c", good).Code);
        Assert.Equal(2, WeirProcess.Run("check", good, "--config", good).Code);
        Assert.Contains("weir check FILE", WeirProcess.Run("check").Error, StringComparison.Ordinal);
        var explained = WeirProcess.Run("explain", "-c", good, "GET", "http://a.example/api/x/../y?z").Output;
        Assert.Contains("route good.yaml:5", explained, StringComparison.Ordinal);
        Assert.Contains("      GET /base/y?z HTTP/1.1\n      Host: a.example\n", explained, StringComparison.Ordinal);
        var bad = Path.Combine(folder, "bad.yaml");
        File.WriteAllText(bad, "lisen: \":8080\"\nsites: [{ hosts: [a], proxy: nowhere }, { proxy: \"http://not.there.invalid\" }]\n");
        var (code, _, error) = WeirProcess.Run("check", bad);
        Assert.Equal(2, code);
        Assert.Contains("bad.yaml:1:1: error: unknown key 'lisen' in weir; did you mean 'listen'?", error, StringComparison.Ordinal);
        Assert.Contains("bad.yaml:2:30: error: there is no upstream 'nowhere'", error, StringComparison.Ordinal);
        Assert.Contains("bad.yaml:2:50: error: the name 'not.there.invalid' cannot be resolved", error, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(WeirProcess.Run("schema").Output).RootElement.ValueKind);
        Assert.StartsWith("weir ", WeirProcess.Run("version").Output, StringComparison.Ordinal);
        Assert.Equal(2, WeirProcess.Run("nonsense").Code);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void The_library_serves_in_a_program_of_ones_own()
    {
        var program = Path.Combine(Repository.Root, "artifacts", "embed", "embed");
        Assert.SkipUnless(File.Exists(program), "examples/embed is not published: ./test does it");
        using var embed = Process.Start(new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var port = int.Parse(embed.StandardOutput.ReadLine()!, System.Globalization.CultureInfo.InvariantCulture);
        using var client = new TcpClient("127.0.0.1", port);
        client.GetStream().Write("GET /hello/you HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"u8);
        Assert.EndsWith("hello, you\n", WeirProcess.ReadToEnd(client.GetStream()), StringComparison.Ordinal);
        embed.StandardInput.Close();
        Assert.True(embed.WaitForExit(TimeSpan.FromSeconds(10)));
    }

    private static void ConnectUntilRefused(WeirProcess weir)
    {
        var patience = Stopwatch.StartNew();
        while (patience.Elapsed < TimeSpan.FromSeconds(10)) weir.Connect().Dispose();
    }

    private static string ReadAnswer(NetworkStream stream)
    {
        var text = new StringBuilder();
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) text.Append((char)stream.ReadByte());
        var length = int.Parse(System.Text.RegularExpressions.Regex.Match(text.ToString(), "Content-Length: (\\d+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        for (var i = 0; i < length; i++) text.Append((char)stream.ReadByte());
        return text.ToString();
    }

    private static JsonElement[] WaitForLines(string file, int count)
    {
        WaitFor(() => File.Exists(file) && File.ReadAllLines(file).Length >= count);
        return [.. File.ReadAllLines(file).Select(line => JsonDocument.Parse(line).RootElement)];
    }

    private static void WaitFor(Func<bool> until)
    {
        var patience = Stopwatch.StartNew();
        while (!until())
        {
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(20), "it did not come");
            Thread.Sleep(20);
        }
    }
}
