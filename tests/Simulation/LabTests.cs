// The laboratory's measurements, through the engine and its configuration.

using System.Text.Json;
using Weir.Control.Laboratory;

namespace Weir.Tests.Simulation;

public class LabTests
{
    private static readonly LabPlan Small = new() { Size = 20_000_000 };

    [Fact]
    public void A_better_way_gains_and_parallel_ranges_gain_with_it_and_without()
    {
        // Large enough that no first slow start decides.
        var measured = Measure(Small with { Size = 100_000_000 });
        Assert.InRange(Gain(measured, "hop"), 8, 30);
        Assert.InRange(Gain(measured, "beside"), 0.8, 1.25);
        Assert.True(Gain(measured, "hop_parallel") > 2 * Gain(measured, "hop"));
        Assert.True(Gain(measured, "beside_parallel") > 4);
        // Two round trips: one for the connection, one for the answer.
        Assert.InRange(Of(measured, "direct").GetProperty("first_byte_seconds").GetDouble(), 0.4, 0.41);
        Assert.InRange(Of(measured, "hop").GetProperty("first_byte_seconds").GetDouble(), 0.18, 0.2);
    }

    [Fact]
    public void The_same_seed_measures_the_same() => Assert.Equal(LabDocument.Write(LabResult.Of(Small)), LabDocument.Write(LabResult.Of(Small)));

    [Fact]
    public void Connections_that_are_reset_cost_time_and_no_byte()
    {
        var measured = Measure(Small with { Direct = Small.Direct with { ResetAfter = 60 } });
        Assert.All(new[] { "direct", "beside", "beside_parallel" }, name => Assert.True(Of(measured, name).GetProperty("resets").GetInt32() > 0));
        // A hop goes on by itself where the origin's connection breaks; the client has to where there is none.
        Assert.True(Of(measured, "direct").GetProperty("client_breaks").GetInt32() > 0);
        Assert.Equal(0, Of(measured, "beside").GetProperty("client_breaks").GetInt32());
        Assert.Equal(0, Of(measured, "beside_parallel").GetProperty("client_breaks").GetInt32());
    }

    [Fact]
    public void What_the_origin_sends_over_a_connection_is_capped_through_a_hop_too()
    {
        var measured = Measure(Small with { Size = 4_000_000, Direct = Small.Direct with { Rate = 40_000 }, Haul = Small.Haul with { Rate = 40_000 } });
        Assert.InRange(Of(measured, "hop").GetProperty("bytes_per_second").GetDouble(), 39_000, 40_000);
        Assert.InRange(Of(measured, "beside").GetProperty("bytes_per_second").GetDouble(), 30_000, 40_000);
    }

    [Fact]
    public void A_route_that_is_no_configuration_is_said()
    {
        var result = LabResult.Of(Small with { Size = 100_000, Accelerated = "nonsense: 1" });
        Assert.False(result.IsWhole);
        Assert.Contains("unknown key 'nonsense'", LabTable.Write(result), StringComparison.Ordinal);
    }

    private static JsonElement Measure(LabPlan plan)
    {
        var result = LabResult.Of(plan);
        var text = LabDocument.Write(result);
        Assert.True(result.IsWhole, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("measurements");
    }

    private static JsonElement Of(JsonElement measured, string name) => Named(measured, name).GetProperty("runs")[0];

    private static double Gain(JsonElement measured, string name) => Named(measured, name).GetProperty("gain").GetDouble();

    private static JsonElement Named(JsonElement measured, string name) => measured.EnumerateArray().Single(m => m.GetProperty("name").GetString() == name);
}
