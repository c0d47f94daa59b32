// What the laboratory prints and draws, of numbers that are given; and one measurement without an engine in it, number for
// number. UPDATE_GOLDEN=1 writes what is found.

using Weir.Control.Configuration;
using Weir.Control.Laboratory;
using Weir.Engine.Transports.Simulation.Links;
using Weir.Tests.Support;

namespace Weir.Tests.Golden;

public class LabTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "Golden", "lab");

    [Fact]
    public void The_table_is_as_it_was() => Check("table.txt", LabTable.Write(Given(1)));

    [Fact]
    public void The_table_of_several_runs_is_as_it_was() => Check("table-of-three.txt", LabTable.Write(Given(3)));

    [Fact]
    public void The_document_is_as_it_was() => Check("document.json", LabDocument.Write(Given(3)));

    [Fact]
    public void The_picture_is_as_it_was() => Check("picture.svg", LabPicture.Draw(Given(1)));

    // Reno's arithmetic is the same on every machine.
    [Fact]
    public void A_seed_measures_the_same_for_ever()
    {
        var plan = new LabPlan { Size = 5_000_000, Direct = new() { RoundTrip = 200_000, Loss = 0.01, Burst = 2, ResetAfter = 30, Control = CongestionControl.Reno } };
        var run = Experiment.Measure(Journey.Of(plan)[0], plan.Size, 7);
        Check("run.txt", FormattableString.Invariant($"{run.Seconds:0.000} s, first byte after {run.FirstByte:0.000} s, {run.Connections} connections, {run.Resets} resets, {run.Breaks} breaks, {run.LostShare:0.0000} lost\n"));
    }

    [Fact]
    public void The_example_is_a_good_configuration()
    {
        var diagnostics = new Diagnostics();
        ConfigLoader.Load(Path.Combine(Repository.Root, "examples", "long-haul", "weir.yaml"), diagnostics);
        Assert.False(diagnostics.HasErrors, diagnostics.ToString());
    }

    private static LabResult Given(int repeat)
    {
        var plan = new LabPlan { Repeat = repeat, Direct = new LabPlan().Direct with { Burst = 3, Rate = 2_000_000, ResetAfter = 600 } };
        var journeys = Journey.Of(plan);
        double[] seconds = [7_512.3, 477.2, 88.8, 7_500, 0];
        return new LabResult(plan, [.. journeys.Select((journey, i) => new Measurement(journey, [.. Enumerable.Range(0, repeat).Select(n => new Run
        {
            Trouble = i == 4 ? "hop:6:9: error: <no> such key & no such value" : null,
            Seconds = seconds[i] + (n * 10.5),
            FirstByte = 0.18 * (i + 1),
            Connections = i == 2 ? 8 : 1,
            Twice = i * 1_234_567,
            Resets = i,
            LostShare = 0.01,
            Progress = i == 4 ? [] : [(0.18 * (i + 1), 1_000), (seconds[i] / 2, plan.Size / 3), (seconds[i], plan.Size)],
        })]))]);
    }

    private static void Check(string name, string found)
    {
        var path = Path.Combine(Folder, name);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1") File.WriteAllText(path, found);
        else Assert.Equal(File.ReadAllText(path), found);
    }
}
