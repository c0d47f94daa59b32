using System.Globalization;
using System.Text.Json;
using Weir.Control.Admin;
using Weir.Control.Discovery;
using Weir.Engine.Upstreams;
using Weir.Tests.Unit.Engine;

namespace Weir.Tests.Unit.Control.Admin;

public sealed class UpstreamsHandlerTests : IDisposable
{
    private const string Configuration = """
        listen: "127.0.0.1:0"
        loops: 1
        error_log: { target: /dev/null }
        upstreams:
          api: { endpoints: [{ url: "http://127.0.0.1:1", weight: 2 }, "http://127.0.0.2:80", "http://unix:/run/app.sock"] }
          unused: "http://127.0.0.1:9"
        sites: [{ hosts: [a], proxy: api }, { proxy: "http://127.0.0.1:7/x" }]
        """;

    private readonly Running running = new(Configuration);

    [Fact]
    public void An_upstream_is_told_as_in_the_status()
    {
        var (status, body) = Ask("GET /upstreams/api");
        Assert.Equal(200, status);
        using var one = JsonDocument.Parse(body);
        using var all = JsonDocument.Parse(Served.By(Handler(), "GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").Split("\r\n\r\n", 2)[1]);
        Assert.True(JsonElement.DeepEquals(all.RootElement.GetProperty("upstreams")[0], one.RootElement));
        Assert.Equal(["127.0.0.1:1 written 2/2 False", "127.0.0.2 written 1/1 False", "unix:/run/app.sock written 1/1 False"], Endpoints(body));
        Assert.Equal(200, Ask("HEAD /upstreams/api").Status);
        Assert.Equal(["127.0.0.1:7 written 1/1 False"], Endpoints(Ask("GET /upstreams/http%3A%2F%2F127.0.0.1%3A7").Body));
    }

    [Theory]
    [InlineData("GET /upstreams/", 404)]
    [InlineData("GET /upstreams", 404)]
    [InlineData("GET /upstreams/aip", 404)]
    [InlineData("GET /upstreams/unused", 404)] // No route forwards there: it does not live.
    [InlineData("GET /upstreams/api/", 404)]
    [InlineData("GET /upstreams/api/endpoint", 404)]
    [InlineData("GET /upstreams/api/endpoints", 405)]
    [InlineData("GET /upstreams/api/endpoints/", 404)]
    [InlineData("GET /upstreams/api/endpoints/127.0.0.1:1", 405)]
    [InlineData("POST /upstreams/api", 405)]
    [InlineData("DELETE /upstreams/api", 405)]
    [InlineData("DELETE /upstreams/api/endpoints", 405)]
    [InlineData("POST /upstreams/api/endpoints/127.0.0.1:1", 405)]
    [InlineData("DELETE /upstreams/api/endpoints/127.0.0.1:5", 404)]
    [InlineData("DELETE /upstreams/api/endpoints/127.0.0.1:1", 409)]
    [InlineData("DELETE /upstreams/api/endpoints/127.0.0.2:80", 409)] // A default port is the same one.
    [InlineData("DELETE /upstreams/api/endpoints/127.0.0.2", 409)]
    [InlineData("DELETE /upstreams/api/endpoints/unix:%2Frun%2Fapp.sock", 409)]
    [InlineData("DELETE /upstreams/api/endpoints/unix:/run/app.sock", 409)]
    public void What_there_is_not_or_may_not_be_done_is_said(string start, int status)
    {
        var (got, body) = Ask(start);
        Assert.Equal(status, got);
        using var json = JsonDocument.Parse(body);
        Assert.NotEmpty(json.RootElement.GetProperty("error").GetString()!);
        if (status == 409) Assert.EndsWith("is written in the configuration; drain it instead", json.RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 400)]
    [InlineData("{", 400)]
    [InlineData("weight: 3", 400)]
    [InlineData("[]", 422)]
    [InlineData("{}", 422)]
    [InlineData("{\"weight\":\"3\"}", 422)]
    [InlineData("{\"weight\":-1}", 422)]
    [InlineData("{\"weight\":1001}", 422)]
    [InlineData("{\"weight\":1.5}", 422)]
    [InlineData("{\"drained\":1}", 422)]
    [InlineData("{\"weigth\":3}", 422)]
    [InlineData("{\"weight\":3,\"url\":\"x\"}", 422)]
    [InlineData("{\"weight\":0}", 200)]
    [InlineData("{\"weight\":1000,\"drained\":true}", 200)]
    [InlineData("{\"weight\":null}", 200)]
    public void A_change_is_whole_or_refused(string change, int status)
    {
        var before = Endpoints(Ask("GET /upstreams/api").Body);
        var (got, body) = Ask("PATCH /upstreams/api/endpoints/127.0.0.1:1", change);
        Assert.Equal(status, got);
        if (status == 200) return;
        using var json = JsonDocument.Parse(body);
        Assert.NotEmpty(json.RootElement.GetProperty("error").GetString()!);
        Assert.Equal(before, Endpoints(Ask("GET /upstreams/api").Body));
    }

    [Fact]
    public void A_weight_and_draining_hold_at_once()
    {
        var endpoint = running.Proxy.Engine.Plan!.Upstreams[0].Endpoints[0];
        Assert.Equal("127.0.0.1:1 written 5/2 False", Endpoints(Ask("PATCH /upstreams/api/endpoints/127.0.0.1:1", "{\"weight\":5}").Body)[0]);
        Assert.Equal(5, endpoint.Weight);
        Assert.Equal("127.0.0.1:1 written 5/2 True", Endpoints(Ask("PATCH /upstreams/api/endpoints/127.0.0.1:1", "{\"drained\":true}").Body)[0]);
        Assert.Equal(Away.Drained, endpoint.Absence.Now);
        Assert.True(running.Proxy.Reload().Done);
        Assert.Equal("127.0.0.1:1 written 5/2 True", Endpoints(Ask("GET /upstreams/api").Body)[0]);
        running.Configuration = Configuration.Replace("weight: 2", "weight: 3", StringComparison.Ordinal);
        Assert.True(running.Proxy.Reload().Done);
        Assert.Equal("127.0.0.1:1 written 3/3 True", Endpoints(Ask("GET /upstreams/api").Body)[0]);
        Ask("PATCH /upstreams/api/endpoints/127.0.0.1:1", "{\"drained\":false}");
        Assert.Equal((3, Away.None), (endpoint.Weight, endpoint.Absence.Now));
        Assert.Same(endpoint, running.Proxy.Engine.Plan!.Upstreams[0].Endpoints[0]);
    }

    [Theory]
    [InlineData("{\"url\":\"http://127.0.0.3:1\"}", 201)]
    [InlineData("{\"url\":\"http://127.0.0.3:1/p\",\"weight\":0}", 201)]
    [InlineData("{\"url\":\"http://unix:/run/b.sock\"}", 201)]
    [InlineData("{\"url\":\"http://127.0.0.3:1\",\"weight\":1,\"backup\":0}", 201)]
    [InlineData("{\"url\":\"http://127.0.0.3:1\",\"backup\":true}", 201)]
    [InlineData("{\"url\":\"http://127.0.0.3:1\",\"backup\":10}", 422)]
    [InlineData("{\"url\":\"http://127.0.0.1:1\"}", 409)]
    [InlineData("{\"url\":\"http://127.0.0.1:1/\"}", 409)]
    [InlineData("{\"weight\":3}", 422)]
    [InlineData("{\"url\":\"127.0.0.3:1\"}", 422)]
    [InlineData("{\"url\":\"http://127.0.0.3:1\",\"weight\":2000}", 422)]
    [InlineData("{\"url\":\"http://127.0.0.3:1\",\"wait\":2}", 422)]
    [InlineData("{\"url\":\"http://no-such-name.invalid:1\"}", 422)]
    [InlineData("\"http://127.0.0.3:1\"", 422)]
    [InlineData("url: \"http://127.0.0.3:1\"", 400)]
    public void An_endpoint_is_added_as_it_would_be_written(string endpoint, int status)
    {
        var (got, body) = Ask("POST /upstreams/api/endpoints", endpoint);
        Assert.Equal(status, got);
        Assert.Equal(status == 201 ? 4 : 3, running.Proxy.Memberships[running.Proxy.Engine.Plan!.Upstreams[0]].Seats.Count);
        if (status == 201) Assert.Contains(" admin ", Endpoints(body)[3], StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_added_outlives_reloads_and_leaves_with_its_upstream()
    {
        Assert.Equal(201, Ask("POST /upstreams/api/endpoints", "{\"url\":\"http://127.0.0.3:1\"}").Status);
        Assert.True(running.Proxy.Reload().Done);
        Assert.Equal("127.0.0.3:1 admin 1/1 False", Endpoints(Ask("GET /upstreams/api").Body)[3]);
        var (status, body) = Ask("DELETE /upstreams/api/endpoints/127.0.0.3:1");
        Assert.Equal((200, 3), (status, Endpoints(body).Length));
        Assert.Equal(201, Ask("POST /upstreams/api/endpoints", "{\"url\":\"http://127.0.0.3:1\"}").Status);
        running.Configuration = Running.Plain;
        Assert.True(running.Proxy.Reload().Done);
        Assert.Equal(404, Ask("GET /upstreams/api").Status);
        running.Configuration = Configuration;
        Assert.True(running.Proxy.Reload().Done);
        Assert.Equal(3, Endpoints(Ask("GET /upstreams/api").Body).Length);
    }

    [Fact]
    public void A_body_has_64_KiB_and_ten_seconds()
    {
        const string Start = "POST /upstreams/api/endpoints HTTP/1.1\r\nHost: localhost\r\n";
        var most = "{\"url\":\"http://127.0.0.3:1\"" + new string(' ', AdminBody.Most - 28) + "}";
        Assert.Equal(65_536, most.Length);
        Assert.StartsWith("HTTP/1.1 413 ", Served.By(Handler(), $"{Start}Content-Length: 65537\r\n\r\n{most} "), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 413 ", Served.By(Handler(), $"{Start}Transfer-Encoding: chunked\r\n\r\n10001\r\n{most} \r\n0\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(3, running.Proxy.Memberships[running.Proxy.Engine.Plan!.Upstreams[0]].Seats.Count);
        Assert.StartsWith("HTTP/1.1 408 ", Served.By(Handler(), $"{Start}Content-Length: 28\r\n\r\n{{"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ", Served.By(Handler(), $"{Start}Connection: close\r\nExpect: 100-continue\r\nContent-Length: 65536\r\n\r\n{most}"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 409 ", Served.By(Handler(), $"{Start}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n{most}\r\n0\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Neither_a_web_page_nor_whoever_lacks_the_token_changes_anything()
    {
        foreach (var start in new[] { "GET /upstreams/api", "POST /upstreams/api/endpoints", "PATCH /upstreams/api/endpoints/127.0.0.1:1", "DELETE /upstreams/api/endpoints/127.0.0.1:1" })
        {
            Assert.StartsWith("HTTP/1.1 403 ", Served.By(Handler(), $"{start} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://page.example\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
            Assert.StartsWith("HTTP/1.1 401 ", Served.By(new AdminHandler(running.Proxy, static () => "0123456789abcdef", isControl: false), $"{start} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Metrics_tell_weights_and_sources()
    {
        var membership = running.Proxy.Memberships[running.Proxy.Engine.Plan!.Upstreams[0]];
        Ask("PATCH /upstreams/api/endpoints/127.0.0.1:1", "{\"weight\":7}");
        var seats = membership.Seats.Select(s => s.Member).ToArray();
        membership.Write(seats, [new SourcePlan("dns x", "", _ => throw new InvalidOperationException())], new UpstreamSettings());
        membership.Sources[0].Failed("no answer");
        var page = Served.By(Handler(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Assert.Contains("weir_endpoint_weight{upstream=\"api\",endpoint=\"127.0.0.1:1\"} 7\n", page, StringComparison.Ordinal);
        Assert.Contains("weir_discovery_failures_total{upstream=\"api\",source=\"dns x\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("weir_discovery_last_success_time_seconds{upstream=\"api\",source=\"dns x\"} 0\n", page, StringComparison.Ordinal);
        Assert.Contains("\"trouble\": \"no answer\"", Ask("GET /upstreams/api").Body, StringComparison.Ordinal);
    }

    public void Dispose() => running.Dispose();

    private static string[] Endpoints(string body)
    {
        using var json = JsonDocument.Parse(body);
        return [.. json.RootElement.GetProperty("endpoints").EnumerateArray().Select(e => string.Create(CultureInfo.InvariantCulture,
            $"{e.GetProperty("name").GetString()} {e.GetProperty("from").GetString()} {e.GetProperty("weight").GetInt32()}/{e.GetProperty("weight_written").GetInt32()} {e.GetProperty("drained").GetBoolean()}"))];
    }

    private AdminHandler Handler() => new(running.Proxy, static () => null, isControl: false);

    private (int Status, string Body) Ask(string start, string? body = null)
    {
        var answer = Served.By(Handler(), $"{start} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{(body is null ? "" : $"Content-Length: {body.Length}\r\n")}\r\n{body}").Split("\r\n\r\n", 2);
        return (int.Parse(answer[0].Split(' ')[1], CultureInfo.InvariantCulture), answer[1]);
    }
}
