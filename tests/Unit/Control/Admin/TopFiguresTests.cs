using System.Text.Json;
using Weir.Control.Admin;

namespace Weir.Tests.Unit.Control.Admin;

public class TopFiguresTests
{
    private const string Before = """
        { "requests": 100, "bytes_sent": 1000, "bytes_received": 50, "connections": 3,
          "upstreams": [ { "name": "api", "endpoints": [ { "name": "a:1", "requests": 10 }, { "name": "b:1", "requests": 90 } ] } ],
          "caches": [ { "requests": { "hit": 10, "miss": 10 } } ] }
        """;

    private const string Now = """
        { "requests": 110, "bytes_sent": 3000, "bytes_received": 150, "connections": 4, "requests_under_way": 2, "memory": { "resident": 7, "buffers": 5 },
          "upstreams": [ { "name": "api", "endpoints": [ { "name": "a:1", "requests": 20, "requests_under_way": 2, "connections": 9, "connect_failures": 1, "away": {} }, { "name": "c:1", "requests": 5, "away": { "unhealthy": "503" } } ] } ],
          "caches": [ { "requests": { "hit": 16, "miss": 11, "stale": 1 } } ] }
        """;

    private const string Running = """
        { "transfers": [ { "upstream": "api", "path": "/f", "client": "127.0.0.1", "length": 1000, "received": 700, "sent": 500, "held": 200, "connections": 7, "connections_wanted": 8, "rate": 80, "single_rate": 10, "gain": 8, "resumes": 1,
          "sources": [ { "endpoint": "a:1", "bytes": 525, "rate": 10, "dropped": false }, { "endpoint": "b:1", "bytes": 175, "rate": 0, "dropped": true } ] } ] }
        """;

    [Fact]
    public void What_changed_between_two_looks_is_told_by_the_second()
    {
        var figures = TopFigures.Of(Sample(Before, "{}", 10), Sample(Now, Running, 12));
        Assert.Equal((5.0, 1250.0, 50.0), (figures.Requests, figures.Sent, figures.Received)); // 2000 of those that ended, 500 of the one that runs.
        Assert.Equal((87.5, 4L, 2L, 7L, 5L), (figures.Hits, figures.Connections, figures.UnderWay, figures.Resident, figures.Buffers));
        Assert.Equal(
            [new TopServer("api", "", 0, 0, 0, 0), new TopServer("a:1", "available", 5, 2, 9, 1), new TopServer("c:1", "unhealthy", 0, 0, 0, 0)],
            figures.Servers);
        Assert.Equal([new TopTransfer("/f", "api", "127.0.0.1", 1000, 500, 200, 80, 8, 7, 8, 1, "a:1 75%, b:1 left out")], figures.Transfers);
    }

    [Fact]
    public void What_ended_meanwhile_is_not_counted_twice()
    {
        var figures = TopFigures.Of(Sample("""{ "bytes_sent": 0 }""", Running, 0), Sample("""{ "bytes_sent": 1000 }""", """{ "transfers": [] }""", 1));
        Assert.Equal(500, figures.Sent);
    }

    [Fact]
    public void A_proxy_that_began_anew_has_done_nothing_less_than_nothing()
    {
        var figures = TopFigures.Of(Sample(Now, Running, 0), Sample(Before, "{}", 1));
        Assert.Equal((0.0, 0.0, 0.0), (figures.Requests, figures.Sent, figures.Received));
        Assert.InRange(figures.Hits, -1, 100);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{ "upstreams": [ {}, 7 ], "caches": [ {} ], "memory": 7 }""")]
    public void What_a_proxy_does_not_say_counts_as_nothing(string document)
    {
        var figures = TopFigures.Of(Sample(document, document, 0), Sample(document, """{ "transfers": [ {}, 7 ] }""", 1));
        Assert.Equal((0.0, 0.0, -1.0), (figures.Requests, figures.Sent, figures.Hits));
        Assert.NotEmpty(figures.Json());
    }

    [Fact]
    public void Programs_are_told_all_of_it()
    {
        using var json = JsonDocument.Parse(TopFigures.Of(Sample(Before, "{}", 10), Sample(Now, Running, 12)).Json());
        Assert.Equal(5, json.RootElement.GetProperty("requests_per_second").GetDouble());
        Assert.Equal(110, json.RootElement.GetProperty("status").GetProperty("requests").GetInt32());
        Assert.Equal("/f", json.RootElement.GetProperty("accelerate").GetProperty("transfers")[0].GetProperty("path").GetString());
    }

    private static TopSample Sample(string status, string transfers, double seconds) => new(Parse(status), Parse(transfers), TimeSpan.FromSeconds(seconds));

    private static JsonElement Parse(string text)
    {
        using var json = JsonDocument.Parse(text);
        return json.RootElement.Clone();
    }
}
