// Servers that are found by name, with a name server that changes its mind, falls silent and comes back: requests go on.

using System.Text;
using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class DiscoveryByNameTests : IDisposable
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    private readonly DnsServer dns = new();
    private readonly List<IDisposable> made = [];

    public void Dispose()
    {
        dns.Dispose();
        foreach (var one in made) one.Dispose();
    }

    // An origin at one of this machine's addresses, on the port of the first, that says its name and the Host it was sent.
    private RawOrigin Origin(string address, string name, int port = 0)
    {
        var origin = new RawOrigin((stream, head) =>
        {
            var host = head.Split('\n').First(static l => l.StartsWith("Host: ", StringComparison.OrdinalIgnoreCase))[6..].Trim();
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {name.Length + 1 + host.Length}\r\n\r\n{name} {host}");
            return true;
        }, System.Net.IPAddress.Parse(address), port);
        made.Add(origin);
        return origin;
    }

    private WeirProcess Start(string upstream)
    {
        var weir = WeirProcess.Start($$"""
            listen: "127.0.0.1:0"
            resolve: { servers: ["{{dns.End}}"], least_ttl: 100ms, timeout: 2s }
            upstreams: { app: { {{upstream}} } }
            sites: [{ proxy: app }]

            """);
        return weir;
    }

    private static string Ask(WeirProcess weir)
    {
        var answer = weir.Exchange(Get);
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        return answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
    }

    // Asks on and on, and every request is answered, until the last of them were answered by exactly these.
    private static void AskUntil(WeirProcess weir, params string[] origins)
    {
        var last = new Queue<string>();
        Eventually.Holds(() =>
        {
            for (var i = 0; i < 20; i++)
            {
                last.Enqueue(Ask(weir).Split(' ')[0]);
                if (last.Count > 20) last.Dequeue();
            }

            return last.ToHashSet().SetEquals(origins);
        }, () => $"{string.Join(' ', last)} instead of {string.Join(' ', origins)}");
    }

    private static JsonElement Status(WeirProcess weir)
    {
        var (code, output, error) = weir.Ask("status", "--json");
        Assert.True(code == 0, error);
        return JsonDocument.Parse(output).RootElement.Clone();
    }

    private static JsonElement Name(WeirProcess weir, string name) => Status(weir).GetProperty("names").EnumerateArray().First(n => n.GetProperty("name").GetString() == name);

    [Fact]
    public void Addresses_come_and_go_while_no_request_fails_and_silence_changes_nothing()
    {
        var one = Origin("127.0.0.1", "one");
        Origin("127.0.0.2", "two", one.Port);
        Origin("127.0.0.3", "three", one.Port);
        dns.Set("app.internal", 0, "127.0.0.1");
        using var weir = Start($"discover: {{ dns: [{{ name: app.internal, port: {one.Port} }}] }}, host: endpoint");
        Assert.Equal($"one app.internal:{one.Port}", Ask(weir));
        dns.Set("app.internal", 0, "127.0.0.1", "127.0.0.2", "127.0.0.3");
        AskUntil(weir, "one", "two", "three");
        dns.Set("app.internal", 0, "127.0.0.2", "127.0.0.3");
        AskUntil(weir, "two", "three");

        dns.IsSilent = true;
        Eventually.Holds(() => Name(weir, "app.internal").TryGetProperty("trouble", out _), () => Status(weir).ToString());
        AskUntil(weir, "two", "three");
        var status = Status(weir);
        Assert.Equal($"{dns.End} does not answer within 2000 ms", Name(weir, "app.internal").GetProperty("trouble").GetString());
        Assert.Equal(2, Name(weir, "app.internal").GetProperty("addresses").GetArrayLength());
        Assert.Equal(2, status.GetProperty("upstreams")[0].GetProperty("endpoints").GetArrayLength());
        Assert.True(status.GetProperty("upstreams")[0].GetProperty("sources")[0].GetProperty("failures").GetInt64() > 0);
        Eventually.Holds(() => weir.Said.Contains("the name 'app.internal' cannot be resolved any more", StringComparison.Ordinal), () => weir.Said);
        Assert.Contains("what is known of it is kept: 2 addresses", weir.Said, StringComparison.Ordinal);
        var metrics = Command.Run("curl", ["-sS", "--unix-socket", weir.ControlPath, "http://localhost/metrics"]).Output;
        Assert.Contains("weir_dns_names{state=\"failing\"} 1", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("weir_dns_lookups_total{outcome=\"timeout\"} 0\n", metrics, StringComparison.Ordinal);

        // A reload meanwhile keeps what is known, and says so.
        var (code, said, error) = weir.Ask("reload");
        Assert.True(code == 0, error);
        AskUntil(weir, "two", "three");

        // That a name is gone is a failure too: nothing is removed for it.
        dns.IsSilent = false;
        dns.Remove("app.internal");
        Eventually.Holds(() => Name(weir, "app.internal").TryGetProperty("trouble", out var trouble) && trouble.GetString() == "there is no such name", () => Status(weir).ToString());
        AskUntil(weir, "two", "three");
        dns.Set("app.internal", 0, "127.0.0.1");
        AskUntil(weir, "one");
        Eventually.Holds(() => weir.Said.Contains("the name 'app.internal' is resolved again: 1 address", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void A_service_is_reweighted_and_its_backups_stand_in()
    {
        var one = Origin("127.0.0.1", "one");
        var two = Origin("127.0.0.1", "two");
        var backup = Origin("127.0.0.1", "backup");
        dns.Set("one.internal", 0, "127.0.0.1");
        dns.Set("two.internal", 0, "127.0.0.1");
        dns.Set("backup.internal", 0, "127.0.0.1");
        dns.SetServices("_http._tcp.app", 0, (10, 1, one.Port, "one.internal"), (10, 1, two.Port, "two.internal"), (20, 1, backup.Port, "backup.internal"));
        using var weir = Start("discover: { srv: _http._tcp.app }, host: endpoint");
        AskUntil(weir, "one", "two");
        dns.SetServices("_http._tcp.app", 0, (10, 9, one.Port, "one.internal"), (10, 1, two.Port, "two.internal"), (20, 1, backup.Port, "backup.internal"));
        Eventually.Holds(() =>
        {
            var all = Enumerable.Range(0, 20).Select(_ => Ask(weir).Split(' ')[0]).ToArray();
            return all.Count(static n => n == "one") == 18;
        }, () => Status(weir).ToString());
        dns.SetServices("_http._tcp.app", 0, (20, 1, backup.Port, "backup.internal"));
        AskUntil(weir, "backup");
    }

    [Fact]
    public void A_written_name_stays_one_endpoint_and_moves_with_its_addresses_kept_connections_included()
    {
        var one = Origin("127.0.0.1", "one");
        Origin("127.0.0.2", "two", one.Port);
        dns.Set("app.internal", 0, "127.0.0.1");
        using var weir = Start($"endpoints: [\"http://app.internal:{one.Port}\"]");
        AskUntil(weir, "one");
        dns.Set("app.internal", 0, "127.0.0.2");
        AskUntil(weir, "two"); // The other still listens, and its connections were good.
        var endpoints = Status(weir).GetProperty("upstreams")[0].GetProperty("endpoints");
        Assert.Equal(1, endpoints.GetArrayLength());
        Assert.Equal($"app.internal:{one.Port}", endpoints[0].GetProperty("name").GetString());
    }

    [Fact]
    public void It_starts_without_what_is_to_be_discovered_and_not_without_what_is_written()
    {
        dns.IsSilent = true;
        var one = Origin("127.0.0.1", "one");
        using var weir = Start($"discover: {{ dns: [{{ name: app.internal, port: {one.Port} }}] }}");
        Assert.Contains("warning: the name 'app.internal' cannot be resolved", weir.Said, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 503 ", weir.Exchange(Get), StringComparison.Ordinal);
        dns.Set("app.internal", 60, "127.0.0.1");
        dns.IsSilent = false;
        Eventually.Holds(() => weir.Exchange(Get).StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal), () => weir.Said);

        dns.Code = 3;
        using var failed = new FailedStart($"listen: \"127.0.0.1:0\"\nresolve: {{ servers: [\"{dns.End}\"] }}\nsites: [{{ proxy: \"http://app.internal:1\" }}]\n");
        Assert.Equal(2, failed.Code);
        Assert.Contains("error: the name 'app.internal' cannot be resolved: there is no such name", failed.Error, StringComparison.Ordinal);
    }
}
