// Endpoints that come, go and change while requests run.

using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class MemberTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Fact]
    public void Endpoints_come_go_and_change_over_the_command_line_and_no_request_fails()
    {
        using RawOrigin a = Named("a"), b = Named("b"), c = Named("c");
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nupstreams: {{ api: [\"{a.Url}\", \"{b.Url}\"] }}\nsites: [{{ proxy: api }}]\n");
        using var clients = new Clients(weir, 4);
        string Of(RawOrigin origin) => $"api/127.0.0.1:{origin.Port}";

        Good(weir.Ask("endpoint", "add", "api", c.Url, "--weight", "2"), $"{c.Url} is added to api");
        Only(clients, a, b, c);
        Good(weir.Ask("drain", "--endpoint", Of(a)), $"{Of(a)} is drained: it takes no further requests");
        Only(clients, b, c);
        Good(weir.Ask("weight", Of(b), "0"), $"{Of(b)} has the weight 0");
        Only(clients, c);
        Good(weir.Ask("drain", "--off", "--endpoint", Of(a)), $"{Of(a)} takes requests again");
        Only(clients, a, c);
        Good(weir.Ask("reload"), "the new configuration is in force");
        Only(clients, a, c);
        Good(weir.Ask("endpoint", "remove", Of(c)), $"{Of(c)} is removed");
        Only(clients, a);
        weir.Configure($"listen: \"127.0.0.1:0\"\nupstreams: {{ api: [\"{a.Url}\", {{ url: \"{b.Url}\", weight: 7 }}] }}\nsites: [{{ proxy: api }}]\n");
        Good(weir.Ask("reload"), "the new configuration is in force");
        Only(clients, a, b);
        clients.EndWithoutFailure();

        using var status = JsonDocument.Parse(weir.Ask("status", "--json").Output);
        var endpoints = status.RootElement.GetProperty("upstreams")[0].GetProperty("endpoints").EnumerateArray().ToArray();
        Assert.Equal([1, 7], endpoints.Select(e => e.GetProperty("weight").GetInt32()));
        Assert.All(endpoints, e => Assert.Equal("written", e.GetProperty("from").GetString()));
        Assert.Contains($"upstream: api: 127.0.0.1:{c.Port} is added, weight 2", weir.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void What_runs_on_an_endpoint_that_leaves_or_is_drained_finishes()
    {
        using var release = new ManualResetEventSlim();
        using var slow = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
            release.Wait();
            RawOrigin.Send(stream, "half");
            return true;
        });
        using var other = Named("other");
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nupstreams: {{ api: [{{ url: \"{other.Url}\", weight: 0 }}] }}\nsites: [{{ proxy: api }}]\n");
        var name = $"api/127.0.0.1:{slow.Port}";
        Good(weir.Ask("endpoint", "add", "api", slow.Url), $"{slow.Url} is added to api");
        using NetworkStream first = Begin(weir), second = Begin(weir);
        Good(weir.Ask("drain", "--endpoint", name), $"{name} is drained: it takes no further requests");
        Good(weir.Ask("weight", $"api/127.0.0.1:{other.Port}", "1"), $"api/127.0.0.1:{other.Port} has the weight 1");
        Assert.EndsWith("other", weir.Exchange(Get), StringComparison.Ordinal);
        Good(weir.Ask("endpoint", "remove", name), $"{name} is removed");
        Assert.EndsWith("other", weir.Exchange(Get), StringComparison.Ordinal);
        release.Set();
        Assert.EndsWith("half", WeirProcess.ReadToEnd(first), StringComparison.Ordinal);
        Assert.EndsWith("half", WeirProcess.ReadToEnd(second), StringComparison.Ordinal);
    }

    [Fact]
    public void A_watched_file_changes_who_is_asked_and_a_broken_one_changes_nothing()
    {
        using RawOrigin a = Named("a"), b = Named("b");
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var file = Path.Combine(folder, "api.json");
        File.WriteAllText(file, $"[\"{a.Url}\"]");
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nupstreams: {{ api: {{ discover: {{ file: {file} }} }} }}\nsites: [{{ proxy: api }}]\n", folder);
        using var clients = new Clients(weir, 2);
        Only(clients, a);
        File.WriteAllText(file, $"[\"{a.Url}\", {{\"url\": \"{b.Url}\", \"weight\": 2}}]");
        Only(clients, a, b);
        File.WriteAllText(file, $"[\"{a.Url}\",\n {{\"url\": \"{b.Url}\", \"weight\": 2000}}]");
        Eventually.Holds(() => weir.Said.Contains("error discovery: ", StringComparison.Ordinal), () => weir.Said);
        Assert.Contains($" error discovery: api: file {file}: {file}:2:{b.Url.Length + 24}: expected a number from 0 to 1000, found '2000'; its last good list stays\n", weir.Said, StringComparison.Ordinal);
        Only(clients, a, b);
        File.WriteAllText(file, $"[\"{b.Url}\"]");
        Only(clients, b);
        clients.EndWithoutFailure();
        Assert.Equal(2, WeirProcess.Run("check", Write(folder, "nowhere.yaml")).Code);
        var (code, _, error) = WeirProcess.Run("check", Write(folder, "api.json"));
        Assert.True(code == 0, error);
    }

    [Fact]
    public void Whoever_asks_for_what_cannot_be_is_told_and_learns_it_from_the_exit_code()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nupstreams: { api: \"http://127.0.0.1:1\" }\nsites: [{ proxy: api }]\n");
        (string[] Command, int Code, string Words)[] asked =
        [
            (["weight", "api/127.0.0.1:2", "3"], 1, "'api' has no endpoint '127.0.0.1:2'"),
            (["weight", "apo/127.0.0.1:1", "3"], 1, "no route forwards to an upstream 'apo'; did you mean 'api'?"),
            (["endpoint", "remove", "api/127.0.0.1:1"], 1, "it is written in the configuration; drain it instead"),
            (["endpoint", "add", "api", "http://127.0.0.1:1"], 1, "'api' has the endpoint '127.0.0.1:1' already"),
            (["endpoint", "add", "api", "127.0.0.1:1"], 2, "did you mean 'http://127.0.0.1:1'?"),
            (["endpoint", "add", "api", "http://127.0.0.1:3", "--weight", "1001"], 2, "the weight is a whole number from 0 to 1000, found '1001'"),
            (["weight", "api/127.0.0.1:1", "many"], 2, "the weight is a whole number from 0 to 1000, found 'many'"),
            (["weight", "api", "3"], 2, "'api' names no endpoint: write UPSTREAM/AUTHORITY, such as api/10.0.0.7:8080"),
            (["drain", "--endpoint", "api"], 2, "'api' names no endpoint"),
            (["endpoint"], 2, "weir: "),
        ];
        foreach (var (command, code, words) in asked)
        {
            var (got, output, error) = weir.Ask(command);
            Assert.True(code == got, $"{string.Join(' ', command)}: {got} {output} {error}");
            Assert.Contains(words, error, StringComparison.Ordinal);
        }
    }

    private static string Write(string folder, string discovered)
    {
        var path = Path.Combine(folder, $"with-{discovered}.yaml");
        File.WriteAllText(path, $"listen: \":0\"\nsites: [{{ proxy: {{ discover: {{ file: {folder}/{discovered} }} }} }}]\n");
        return path;
    }

    private static RawOrigin Named(string name) => new((stream, _) =>
    {
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {name.Length}\r\n\r\n{name}");
        return true;
    });

    private static NetworkStream Begin(WeirProcess weir)
    {
        var stream = weir.Connect();
        stream.Write(Encoding.ASCII.GetBytes(Get));
        var got = new StringBuilder();
        while (!got.ToString().EndsWith("half", StringComparison.Ordinal)) got.Append((char)stream.ReadByte());
        return stream;
    }

    private static void Good((int Code, string Output, string Error) answer, string words)
    {
        Assert.True(answer.Code == 0, answer.Error);
        Assert.Equal(words, answer.Output.TrimEnd());
    }

    // From some moment on all of these are asked, and nobody else: each of them in turn, for a while.
    private static void Only(Clients clients, params RawOrigin[] asked) => Eventually.Holds(() =>
    {
        var before = clients.Answers;
        var since = Stopwatch.StartNew();
        while (clients.Answers.Values.Sum() - before.Values.Sum() < 60 && since.Elapsed < TimeSpan.FromSeconds(10)) Thread.Sleep(5);
        var after = clients.Answers;
        return after.Where(answer => answer.Value > before.GetValueOrDefault(answer.Key)).Select(answer => answer.Key).Order().SequenceEqual(asked.Select(origin => clients.NameOf(origin)).Order());
    }, () => $"asked are {string.Join(", ", clients.Answers)}");

    // Ask all the time, each on connections of its own, every other time on the one before.
    private sealed class Clients : IDisposable
    {
        private readonly Lock turn = new();
        private readonly Dictionary<string, int> answers = [];
        private readonly List<string> failures = [];
        private readonly Thread[] threads;
        private volatile bool isOver;

        public Clients(WeirProcess weir, int count)
        {
            threads = [.. Enumerable.Range(0, count).Select(_ => new Thread(() => Ask(weir)) { IsBackground = true })];
            foreach (var thread in threads) thread.Start();
        }

        public Dictionary<string, int> Answers
        {
            get
            {
                lock (turn) return new Dictionary<string, int>(answers);
            }
        }

        public string NameOf(RawOrigin origin)
        {
            using var stream = WeirProcess.Connect(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, origin.Port));
            stream.Write(Encoding.ASCII.GetBytes(Get));
            var got = new StringBuilder();
            while (!got.ToString().Contains("\r\n\r\n", StringComparison.Ordinal)) got.Append((char)stream.ReadByte());
            return ((char)stream.ReadByte()).ToString();
        }

        public void EndWithoutFailure()
        {
            Dispose();
            Assert.True(failures.Count == 0, string.Join('\n', failures));
        }

        public void Dispose()
        {
            isOver = true;
            foreach (var thread in threads) thread.Join();
        }

        private void Ask(WeirProcess weir)
        {
            while (!isOver)
            {
                try
                {
                    using var stream = weir.Connect();
                    stream.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8);
                    stream.Write(Encoding.ASCII.GetBytes(Get));
                    Note(WeirProcess.ReadToEnd(stream));
                }
                catch (Exception e) when (e is IOException or SocketException)
                {
                    lock (turn) failures.Add(e.Message);
                }
            }
        }

        private void Note(string text)
        {
            var parts = text.Split("HTTP/1.1 ", StringSplitOptions.RemoveEmptyEntries);
            lock (turn)
            {
                if (parts.Length != 2 || !parts.All(p => p.StartsWith("200 ", StringComparison.Ordinal))) failures.Add(text);
                foreach (var part in parts)
                {
                    var name = part[^1..];
                    answers[name] = answers.GetValueOrDefault(name) + 1;
                }
            }
        }
    }
}
