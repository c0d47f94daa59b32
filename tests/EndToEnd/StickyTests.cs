// Clients that stay with their server, and routes that are shared out, on the built program.

using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed partial class StickyTests : IDisposable
{
    private const string Secret = "a secret of these days";

    private readonly List<RawOrigin> origins = [];

    public void Dispose() => origins.ForEach(static o => o.Dispose());

    [Fact]
    public void A_client_with_a_jar_stays_with_its_server_and_others_do_not_share_its_cookie()
    {
        using var weir = Start("sticky: weir_id", 3);
        var folder = weir.Folder;
        var firsts = new HashSet<string>();
        var cookies = new HashSet<string>();
        for (var client = 0; client < 6; client++)
        {
            var jar = Path.Combine(folder, $"jar{client}");
            var first = Curl(jar, weir.Port);
            for (var i = 0; i < 5; i++) Assert.Equal(first, Curl(jar, weir.Port));
            firsts.Add(first);
            var line = File.ReadLines(jar).Single(l => l.Contains("weir_id", StringComparison.Ordinal));
            Assert.StartsWith("#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\tweir_id\t", line, StringComparison.Ordinal);
            Assert.True(cookies.Add(line.Split('\t')[^1]));
        }

        Assert.Equal(3, firsts.Count); // The first choice is the balancer's.
        Assert.DoesNotContain(origins.SelectMany(o => o.Received), head => head.Contains("weir_id", StringComparison.Ordinal));
    }

    [Fact]
    public void The_cookie_is_set_once_and_keeps_caches_from_it()
    {
        using var weir = Start("sticky: { cookie: s, max_age: 1h }", 2);
        var answer = weir.Exchange(Get());
        Assert.Matches("\r\nSet-Cookie: s=[A-Za-z0-9_-]{48}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax\r\n", answer);
        Assert.Contains("\r\nCache-Control: private\r\n", answer, StringComparison.Ordinal);
        answer = weir.Exchange(Get(Cookie(answer), "theme=dark"));
        Assert.DoesNotContain("Set-Cookie", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("Cache-Control", answer, StringComparison.Ordinal);
        Assert.Contains(origins.SelectMany(o => o.Received), head => head.Contains("\r\nCookie: theme=dark\r\n", StringComparison.Ordinal));
    }

    [Fact]
    public void The_own_key_survives_a_restart_and_is_its_owners_alone()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var kept = Directory.CreateTempSubdirectory("weir-state-").FullName;
        string cookie, body;
        using (var weir = Start("sticky: s", 3, folder: folder, top: $"state: {kept}/made\n"))
        {
            var answer = weir.Exchange(Get());
            (cookie, body) = (Cookie(answer), Body(answer));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode($"{kept}/made/sticky.key"));
            Assert.Equal(32, new FileInfo($"{kept}/made/sticky.key").Length);
            weir.Ask("reload");
            Stays(weir, cookie, body);
        }

        using (var weir = Start("sticky: s", 0, top: $"state: {kept}/made\n")) Stays(weir, cookie, body);
        using (var weir = Start("sticky: s", 0)) // Another state folder: nobody's cookie.
        {
            Assert.Contains("Set-Cookie: s=", weir.Exchange(Get(cookie)), StringComparison.Ordinal);
        }

        Directory.Delete(kept, recursive: true);
    }

    [Fact]
    public void Without_a_folder_for_the_key_it_says_so()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        File.WriteAllText(Path.Combine(folder, "file"), "");
        var failed = Assert.Throws<InvalidOperationException>(() => Start("sticky: s", 1, folder: folder, top: $"state: {folder}/file/state\n"));
        Assert.Contains("weir.yaml:6:", failed.Message, StringComparison.Ordinal);
        Assert.Contains("the key for the cookie 's' cannot be kept: ", failed.Message, StringComparison.Ordinal);
        Assert.Contains("set 'state' to a folder that can be written, or give a 'secret'", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nodes_with_one_secret_share_clients_and_others_do_not()
    {
        using var one = Start($"sticky: {{ cookie: s, secret: \"{Secret}\" }}", 4);
        using var other = Start($"sticky: {{ cookie: s, secret: \"{Secret}\" }}", 0);
        using var stranger = Start("sticky: { cookie: s, secret: \"a secret of somebody else\" }", 0);
        Assert.False(File.Exists(Path.Combine(one.Folder, "weir", "sticky.key")));
        for (var i = 0; i < 8; i++)
        {
            var answer = one.Exchange(Get());
            Stays(other, Cookie(answer), Body(answer));
            Assert.Contains("Set-Cookie: s=", stranger.Exchange(Get(Cookie(answer))), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_secret_is_changed_without_anybody_moving()
    {
        using var weir = Start($"sticky: {{ cookie: s, secret: \"{Secret}\" }}", 4);
        var clients = Enumerable.Range(0, 8).Select(_ => weir.Exchange(Get())).Select(answer => (Cookie: Cookie(answer), Body: Body(answer))).ToArray();
        weir.Configure(Configuration($"sticky: {{ cookie: s, secret: \"a secret of the days to come\", previous_secret: \"{Secret}\" }}"));
        Assert.Equal(0, weir.Ask("reload").Code);
        for (var i = 0; i < clients.Length; i++)
        {
            var answer = weir.Exchange(Get(clients[i].Cookie));
            Assert.Equal(clients[i].Body, Body(answer));
            clients[i].Cookie = Cookie(answer); // Under the new secret.
        }

        weir.Configure(Configuration("sticky: { cookie: s, secret: \"a secret of the days to come\" }"));
        Assert.Equal(0, weir.Ask("reload").Code);
        foreach (var (cookie, body) in clients) Stays(weir, cookie, body);
    }

    [Fact]
    public void Where_its_server_is_gone_a_client_moves_and_stays_there()
    {
        using var weir = Start("sticky: s", 3);
        var answer = weir.Exchange(Get());
        var (cookie, body) = (Cookie(answer), Body(answer));
        origins.Single(o => o.Port.ToString(System.Globalization.CultureInfo.InvariantCulture) == body).Dispose();
        // Its connection, where one is kept, ends with the next answer.
        Eventually.Holds(() => Body(answer = weir.Exchange(Get(cookie))) != body, () => answer);
        var (moved, to) = (Cookie(answer), Body(answer));
        Assert.NotEqual(cookie, moved);
        for (var i = 0; i < 5; i++) Stays(weir, moved, to);
        Assert.Contains("\"sticky_moves\": 1,", weir.Ask("status", "--json").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_that_are_not_ours_are_ignored_and_replaced()
    {
        using var weir = Start("sticky: s", 2);
        var cookie = Cookie(weir.Exchange(Get()));
        foreach (var wrong in new[] { "s=", "s=x", cookie[..^1] + (cookie[^1] == 'A' ? 'Q' : 'A'), cookie + "A", "s=" + new string('A', 48), "s=" + new string('A', 9_000), string.Join("; ", Enumerable.Repeat("s=" + new string('A', 48), 200)) })
        {
            var answer = weir.Exchange(Get(wrong));
            Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
            Assert.Contains("\r\nSet-Cookie: s=", answer, StringComparison.Ordinal);
        }

        Assert.DoesNotContain(origins.SelectMany(o => o.Received), head => head.Contains("Cookie:", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("client_ip")]
    [InlineData("cookie side")]
    public void A_split_gives_each_side_its_share_and_a_growing_one_keeps_its_clients(string by)
    {
        using var weir = Start("{}", 0, configuration: Splitting(by, 80, 20));
        var clients = Enumerable.Range(0, 300).Select(i => (Ip: $"203.0.{i / 200}.{(i % 200) + 1}", Cookie: "")).ToArray();
        var first = clients.Select((c, i) => Ask(weir, c, cookie => clients[i].Cookie = cookie)).ToArray();
        Assert.InRange(first.Count(b => b == "canary"), 20, 100); // Six standard deviations about 60.
        Assert.Equal(first, clients.Select(c => Ask(weir, c, static cookie => Assert.Fail(cookie))));
        weir.Configure(Splitting(by, 60, 40));
        Assert.Equal(0, weir.Ask("reload").Code);
        var second = clients.Select(c => Ask(weir, c, static cookie => Assert.Fail(cookie))).ToArray();
        for (var i = 0; i < clients.Length; i++) Assert.True(first[i] == second[i] || second[i] == "canary");
        Assert.InRange(second.Count(b => b == "canary"), 70, 171);
        Assert.Contains("\"upstream\":\"canary\"", weir.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void By_request_each_is_drawn_anew_and_each_side_has_its_own_times()
    {
        using var weir = Start("{}", 0, configuration: Splitting("request", 50, 50));
        var bodies = Enumerable.Range(0, 200).Select(_ => Body(weir.Exchange(Get()))).ToArray();
        Assert.InRange(bodies.Count(b => b == "canary"), 57, 143);
    }

    [Theory]
    [InlineData("client_ip")]
    [InlineData("cookie side")]
    public void With_fallback_a_side_that_is_away_lends_its_clients_to_the_other_and_gets_them_back(string by)
    {
        var checks = "health: { active: { tcp: true, interval: 100ms, fall: 1, rise: 1 } }";
        using var weir = Start("{}", 0, configuration: Splitting(by, 50, 50, fallback: true, checks));
        var clients = Enumerable.Range(1, 20).Select(i => (Ip: $"203.0.113.{i}", Cookie: "")).ToArray();
        var home = clients.Select((c, i) => Ask(weir, c, cookie => clients[i].Cookie = cookie)).ToArray();
        Assert.Equal(["api", "canary"], home.Distinct().Order());
        string[] Now() => [.. clients.Select(c => Ask(weir, c, static cookie => Assert.Fail(cookie)))];

        // On purpose, and as long as that is meant.
        var canary = $"canary/127.0.0.1:{origins[1].Port}";
        Assert.Equal(0, weir.Ask("drain", "--endpoint", canary).Code);
        Assert.All(Now(), static side => Assert.Equal("api", side));
        Assert.Equal(0, weir.Ask("drain", "--off", "--endpoint", canary).Code);
        Assert.Equal(home, Now());

        // By its checks; no client is asked for a new cookie on the way.
        var port = origins[1].Port;
        origins[1].Dispose();
        Eventually.Holds(() => Now().All(static side => side == "api"), () => weir.Said);
        origins[1] = new RawOrigin(Answering("canary"), port: port);
        Eventually.Holds(() => Now().SequenceEqual(home), () => weir.Said);

        // Without it, a side's clients are its own.
        weir.Configure(Splitting(by, 50, 50, fallback: false, checks));
        Assert.Equal(0, weir.Ask("reload").Code);
        Assert.Equal(0, weir.Ask("drain", "--endpoint", canary).Code);
        for (var i = 0; i < clients.Length; i++)
        {
            var answer = weir.Exchange(Request(clients[i]));
            if (home[i] == "api") Assert.Equal("api", Body(answer));
            else Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        }
    }

    private static string Ask(WeirProcess weir, (string Ip, string Cookie) client, Action<string> given)
    {
        var answer = weir.Exchange(Request(client));
        if (answer.Contains("Set-Cookie", StringComparison.Ordinal)) given(Cookie(answer));
        return Body(answer);
    }

    private static string Request((string Ip, string Cookie) client) => $"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client.Ip}\r\n{(client.Cookie.Length == 0 ? "" : $"Cookie: {client.Cookie}\r\n")}Connection: close\r\n\r\n";

    private static Func<System.Net.Sockets.NetworkStream, string, bool> Answering(string name) => (stream, _) =>
    {
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {name.Length}\r\n\r\n{name}");
        return true;
    };

    private string Splitting(string by, int api, int canary, bool fallback = false, string more = "health: {}")
    {
        if (origins.Count == 0) origins.AddRange([new RawOrigin(Answering("api")), new RawOrigin(Answering("canary"))]);
        return $$"""
            listen: "127.0.0.1:0"
            access_log: stdout
            trusted_proxies: 127.0.0.0/8
            upstreams: { api: "{{origins[0].Url}}", canary: { endpoints: "{{origins[1].Url}}", timeouts: { first_byte: 9s }, {{more}} } }
            sites: [{ proxy: { split: [{ proxy: api, weight: {{api}} }, { proxy: canary, weight: {{canary}} }], by: {{by}}, fallback: {{(fallback ? "true" : "false")}} } }]

            """;
    }

    // Origins that answer their port.
    private WeirProcess Start(string sticky, int count, string? folder = null, string top = "", string? configuration = null)
    {
        for (var i = 0; i < count; i++)
        {
            RawOrigin? origin = null;
            origin = new RawOrigin((stream, _) =>
            {
                var body = origin!.Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
                RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}");
                return false;
            });
            origins.Add(origin);
        }

        return WeirProcess.Start(top + (configuration ?? Configuration(sticky)), folder);
    }

    private string Configuration(string sticky) => $"listen: \"127.0.0.1:0\"\nupstreams:\n  app: {{ endpoints: [{string.Join(", ", origins.Select(o => $"\"{o.Url}\""))}], {sticky} }}\nsites: [{{ proxy: app }}]\n";

    private static string Curl(string jar, int port)
    {
        var (code, output, error) = Command.Run("curl", ["-sS", "-c", jar, "-b", jar, $"http://127.0.0.1:{port}/"], Path.GetTempPath(), TimeSpan.FromSeconds(20));
        Assert.True(code == 0, error);
        return output;
    }

    private static void Stays(WeirProcess weir, string cookie, string body)
    {
        var answer = weir.Exchange(Get(cookie));
        Assert.Equal(body, Body(answer));
        Assert.DoesNotContain("Set-Cookie", answer, StringComparison.Ordinal);
    }

    private static string Get(params string[] cookies) => $"GET / HTTP/1.1\r\nHost: a\r\n{(cookies.Length == 0 ? "" : $"Cookie: {string.Join("; ", cookies)}\r\n")}Connection: close\r\n\r\n";

    private static string Cookie(string answer) => CookiePattern().Match(answer) is { Success: true } match ? match.Groups[1].Value : throw new ArgumentException($"no cookie in {answer}");

    private static string Body(string answer) => answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];

    [GeneratedRegex("\r\nSet-Cookie: ([^;]*)")]
    private static partial Regex CookiePattern();
}
