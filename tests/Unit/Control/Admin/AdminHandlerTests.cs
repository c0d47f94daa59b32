using System.Text.Json;
using Weir.Control.Admin;
using Weir.Tests.Unit.Engine;

namespace Weir.Tests.Unit.Control.Admin;

public sealed class AdminHandlerTests : IDisposable
{
    private const string Token = "0123456789abcdef";

    private readonly Running running = new();

    [Theory]
    [InlineData("GET", "/live", 200)]
    [InlineData("GET", "/ready", 200)]
    [InlineData("GET", "/metrics", 200)]
    [InlineData("GET", "/status", 200)]
    [InlineData("GET", "/status?pretty", 200)]
    [InlineData("GET", "/transfers", 200)]
    [InlineData("POST", "/transfers", 405)]
    [InlineData("POST", "/reload", 200)]
    [InlineData("POST", "/drain", 200)]
    [InlineData("POST", "/undrain", 200)]
    [InlineData("HEAD", "/status", 200)]
    [InlineData("POST", "/status", 405)]
    [InlineData("DELETE", "/live", 405)]
    [InlineData("GET", "/reload", 405)]
    [InlineData("GET", "/drain", 405)]
    [InlineData("GET", "/undrain", 405)]
    [InlineData("GET", "/", 404)]
    [InlineData("GET", "/statu", 404)]
    [InlineData("GET", "/status/", 404)]
    [InlineData("GET", "/STATUS", 404)]
    [InlineData("GET", "/%73tatus", 404)]
    [InlineData("OPTIONS", "*", 404)]
    public void Each_path_answers_its_methods(string method, string target, int status)
    {
        var (got, body) = Ask($"{method} {target}");
        Assert.Equal(status, got);
        if (method == "HEAD") Assert.Empty(body);
        else if (status != 200) Assert.NotEmpty(JsonDocument.Parse(body).RootElement.GetProperty("error").GetString()!);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("Authorization: Bearer " + Token, true)]
    [InlineData("authorization:Bearer " + Token + " ", true)]
    [InlineData("Authorization: bearer " + Token, true)] // RFC 9110 §11.1: schemes have no case.
    [InlineData("Authorization: Bearer 0123456789abcdeX", false)]
    [InlineData("Authorization: Bearer " + Token + "0", false)]
    [InlineData("Authorization: Bearer 0123456789abcde", false)]
    [InlineData("Authorization: Bearer ", false)]
    [InlineData("Authorization: Bearer", false)]
    [InlineData("Authorization: " + Token, false)]
    [InlineData("Authorization: Basic " + Token, false)]
    [InlineData("Authorization:", false)]
    public void Whoever_has_not_the_token_learns_nothing_but_that_it_lives(string? field, bool allowed)
    {
        foreach (var start in new[] { "GET /status", "GET /metrics", "POST /reload", "POST /drain", "GET /nothing", "DELETE /status" })
        {
            var (status, body) = Ask(start, Token, isControl: false, field);
            if (allowed) Assert.NotEqual(401, status);
            else Assert.Equal((401, "{\"error\":\"the admin token is missing or wrong\"}\n"), (status, body));
            Assert.NotEqual(401, Ask(start, Token, isControl: true, field).Status); // Only the owner reaches the control socket.
        }

        Assert.Equal(200, Ask("GET /live", Token, isControl: false, field).Status);
        Assert.NotEqual(401, Ask("GET /ready", Token, isControl: false, field).Status);
    }

    [Theory]
    [InlineData("127.0.0.1:9900", null, true)]
    [InlineData("[::1]:9900", null, true)]
    [InlineData("localhost", null, true)]
    [InlineData("LOCALHOST:9900", null, true)]
    [InlineData("localhost", "Sec-Fetch-Site: none", true)] // Typed into the address bar.
    [InlineData("rebound.example:9900", null, false)]
    [InlineData("127.0.0.1.example", null, false)]
    [InlineData("localhost", "Origin: http://page.example", false)]
    [InlineData("localhost", "Origin: null", false)]
    [InlineData("127.0.0.1:9900", "Sec-Fetch-Site: cross-site", false)]
    public void Without_a_token_no_web_page_gets_an_answer(string host, string? field, bool allowed)
    {
        foreach (var start in new[] { "GET /status", "GET /metrics", "POST /reload", "POST /drain", "GET /nothing" })
        {
            Assert.Equal(!allowed, Ask(start, field: field, host: host).Status == 403);
            Assert.NotEqual(403, Ask(start, isControl: true, field: field, host: host).Status);
        }

        Assert.Equal(200, Ask("GET /live", field: field, host: host).Status);
    }

    [Fact]
    public void Refused_without_the_token_nothing_happens()
    {
        Assert.Equal(401, Ask("POST /drain", Token).Status);
        Assert.Equal(401, Ask("POST /reload", Token).Status);
        Assert.Equal((false, (0L, 0L)), (running.Proxy.IsDraining, running.Proxy.Reloads));
    }

    [Fact]
    public void While_draining_it_is_not_ready_but_alive()
    {
        Assert.Equal((200, "ready\n"), Ask("GET /ready"));
        Assert.Equal((200, "{\"draining\":true}\n"), Ask("POST /drain"));
        Assert.Equal((503, "draining\n"), Ask("GET /ready"));
        Assert.Equal((200, "alive\n"), Ask("GET /live"));
        Assert.True(JsonDocument.Parse(Ask("GET /status").Body).RootElement.GetProperty("draining").GetBoolean());
        Assert.Equal((200, "{\"draining\":false}\n"), Ask("POST /undrain"));
        Assert.Equal((200, "ready\n"), Ask("GET /ready"));
    }

    [Fact]
    public void A_reload_says_what_it_found()
    {
        running.Configuration = Running.Plain.Replace("sites", "sotes", StringComparison.Ordinal);
        var (status, body) = Ask("POST /reload");
        Assert.Equal(422, status);
        Assert.Contains("unknown key 'sotes'", JsonDocument.Parse(body).RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
        running.Configuration = Running.Plain.Replace("loops: 1", "loops: 2", StringComparison.Ordinal);
        (status, body) = Ask("POST /reload");
        Assert.Equal(200, status);
        Assert.Contains("loops has changed", JsonDocument.Parse(body).RootElement.GetProperty("text").GetString(), StringComparison.Ordinal);
        var document = JsonDocument.Parse(Ask("GET /status").Body).RootElement;
        Assert.Equal((1, 1), (document.GetProperty("reloads").GetInt32(), document.GetProperty("reloads_refused").GetInt32()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\nadmin: \"127.0.0.1:1\"")]
    public void A_reload_takes_no_token_from_a_listener_that_stays_bound(string next)
    {
        const string Open = "\nadmin: { address: \"127.0.0.1:0\", token: 0123456789abcdef }";
        using var guarded = new Running(Running.Plain + Open);
        guarded.Configuration = Running.Plain + next;
        Assert.True(guarded.Proxy.Reload().Done);
        Assert.Equal(Token, guarded.Proxy.AdminToken);
        guarded.Configuration = Running.Plain + Open.Replace(Token, "another-token-of-16", StringComparison.Ordinal);
        Assert.True(guarded.Proxy.Reload().Done);
        Assert.Equal("another-token-of-16", guarded.Proxy.AdminToken);
    }

    [Fact]
    public void What_cannot_be_read_is_refused_in_json()
    {
        var answer = Served.By(new AdminHandler(running.Proxy, static () => null, isControl: false), "GET /status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.EndsWith("{\"error\":\"the request cannot be read\"}\n", answer, StringComparison.Ordinal);
    }

    public void Dispose() => running.Dispose();

    private (int Status, string Body) Ask(string start, string? token = null, bool isControl = false, string? field = null, string host = "localhost")
    {
        var request = $"{start} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{(field is null ? "" : field + "\r\n")}\r\n";
        var answer = Served.By(new AdminHandler(running.Proxy, () => token, isControl), request).Split("\r\n\r\n", 2);
        return (int.Parse(answer[0].Split(' ')[1]), answer[1]);
    }
}
