using System.Text.Json;
using Weir.Control.Admin;

namespace Weir.Tests.Unit.Control.Admin;

public class StatusTableTests
{
    private const string Document = """
        {
          "version": "1.0.0", "started": "2026-01-01T00:00:00+00:00", "draining": true, "connections": 12, "requests_under_way": 3, "requests": 1234, "reloads": 2, "reloads_refused": 1,
          "listeners": ["[::]:8080", "unix:/run/weir.sock"],
          "upstreams": [
            { "name": "api", "endpoints": [
              { "name": "10.0.0.1:8080", "weight": 10, "requests_under_way": 3, "connections": 5, "connect_failures": 0, "requests": 1000, "away": {},
                "last_check": { "outcome": "passed", "reason": "GET / answered 200", "at": "2026-01-01T02:29:58Z", "milliseconds": 0.5, "in_a_row": 7, "healthy": true } },
              { "name": "10.0.0.2:8080", "weight": 1, "requests_under_way": 0, "connections": 0, "connect_failures": 17, "requests": 9,
                "away": { "unreachable": "Connection refused", "unhealthy": "3 checks in a row failed, the last: GET / answered 503" }, "last_check": { "outcome": "none", "reason": "not checked yet" } } ] },
            { "name": "empty", "endpoints": [] }
          ]
        }
        """;

    [Fact]
    public void People_see_who_is_away_and_why()
    {
        using var json = JsonDocument.Parse(Document);
        Assert.Equal("""
            weir 1.0.0, draining, for 2h
            12 connections, 3 requests under way, 1234 answered
            2 reloads, 1 refused
            listening on [::]:8080, unix:/run/weir.sock

                             state                   weight  requests  under way  connections  failures  last check
            api
              10.0.0.1:8080  available                   10      1000          3            5         0  passed 2s ago
              10.0.0.2:8080  unreachable, unhealthy       1         9          0            0        17  none
                unreachable: Connection refused
                unhealthy: 3 checks in a row failed, the last: GET / answered 503
            empty

            """, StatusTable.Write(json.RootElement, new DateTimeOffset(2026, 1, 1, 2, 30, 0, TimeSpan.Zero)));
    }

    [Fact]
    public void People_see_what_concerns_an_upstream_and_who_stands_in()
    {
        using var json = JsonDocument.Parse("""
            {
              "version": "1.0.0", "started": "2026-01-01T00:00:00+00:00", "draining": false, "connections": 1, "requests_under_way": 0, "requests": 5, "reloads": 0, "reloads_refused": 0,
              "buffer_disk": { "bytes": 0, "written": 0, "failures": 2, "last_failure": "No space left on device" },
              "upstreams": [
                { "name": "api", "breaker_open": true, "panicking": true, "queue_length": 3, "endpoints": [
                  { "name": "10.0.0.1:8080", "weight": 1, "requests_under_way": 1, "connections": 1, "connect_failures": 0, "requests": 5, "full": true, "away": {} },
                  { "name": "10.0.0.2:8080", "weight": 1, "backup": 2, "requests_under_way": 0, "connections": 0, "connect_failures": 0, "requests": 0, "away": {} } ],
                  "sources": [ { "name": "file /etc/more.yaml", "failures": 0 }, { "name": "dns app.internal:80", "failures": 6, "trouble": "no answer in time" } ] },
                { "name": "later", "breaker_open": false, "panicking": true, "endpoints": [] }
              ],
              "names": [ { "name": "db.internal", "addresses": [] }, { "name": "app.internal", "addresses": [], "trouble": "no answer in time" } ]
            }
            """);
        Assert.Equal("""
            weir 1.0.0, for 60s
            1 connections, 0 requests under way, 5 answered
            0 reloads, 0 refused

                             state                weight  requests  under way  connections  failures  last check
            api
              the circuit breaker is open
              so few are available that health is ignored
              3 requests wait
              dns app.internal:80: no answer in time
              10.0.0.1:8080  available, full           1         5          1            1         0
              10.0.0.2:8080  available, backup 2       1         0          0            0         0
            later
              there is nobody to ask

            the name app.internal: no answer in time

            requests' bodies could not be kept on disk 2 times, the last: No space left on device

            """, StatusTable.Write(json.RootElement, new DateTimeOffset(2026, 1, 1, 0, 1, 0, TimeSpan.Zero)));
    }

    [Fact]
    public void A_cache_and_its_disk_are_told_in_a_line_each()
    {
        using var json = JsonDocument.Parse("""
            {"name":"default","entries":3,"bytes":1048576,"limit_bytes":16777216,"requests":{"hit":3,"miss":1},"saved_bytes":0,"evictions":0,
             "disk":{"available":true,"paused":true,"loaded":0.25,"entries":7,"bytes":2097152,"limit_bytes":104857600,"hits":5,"misses":4,"broken":1,"writes":9,"refused":2,"evictions":6,"failures":8}}
            """);
        Assert.Equal("""
            cache default: 3 answers, 1 of 16 MiB, 3 of 4 requests served from it (75%), 0 MiB saved, 0 evicted
              on disk: 7 answers, 2 of 100 MiB, 5 hits, 4 misses, 9 written, 2 not, 6 evicted, 8 failures, 1 broken, 25% of the index read, writing pauses: it has failed
            """, StatusTable.Cache(json.RootElement));
    }

    [Theory]
    [InlineData("{\"caches\":[{\"disk\":7},{\"disk\":{}},{\"disk\":{\"available\":true,\"loaded\":\"x\"}}]}")]
    [InlineData("{}")]
    [InlineData("{\"upstreams\":[{\"sources\":[3],\"queue_length\":\"x\",\"panicking\":1}],\"names\":[null]}")]
    [InlineData("{\"upstreams\":[{}],\"listeners\":3,\"buffer_disk\":7}")]
    [InlineData("{\"upstreams\":[{\"endpoints\":[{\"away\":3,\"weight\":\"x\",\"last_check\":{\"at\":null}}]}]}")]
    public void What_another_version_does_not_say_is_left_out(string document)
    {
        using var json = JsonDocument.Parse(document);
        Assert.StartsWith("weir ?", StatusTable.Write(json.RootElement, DateTimeOffset.UnixEpoch), StringComparison.Ordinal);
    }

    [Fact]
    public void A_proxy_at_work_is_told_as_a_table()
    {
        using var running = new Running();
        using var json = JsonDocument.Parse(StatusPage.Write(running.Proxy));
        Assert.Contains("listening on 127.0.0.1:", StatusTable.Write(json.RootElement, DateTimeOffset.UtcNow), StringComparison.Ordinal);
    }
}
