// The result for people: what was measured over which links, and what the model leaves out.

using System.Globalization;
using System.Text;

namespace Weir.Control.Laboratory;

/// <summary>Writes a result as a table.</summary>
public static class LabTable
{
    private static readonly string[] Headings = ["", "total", "first byte", "rate", "gain", "connections", "fetched twice"];

    public static string Write(LabResult result)
    {
        var plan = result.Plan;
        var isRepeated = plan.Repeat > 1;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"a file of {LabWords.Bytes(plan.Size)}, {(isRepeated ? $"seeds {plan.Seed} to {plan.Seed + plan.Repeat - 1}, the run in the middle of each {plan.Repeat}" : $"seed {plan.Seed}")}\n\n");
        text.Append(CultureInfo.InvariantCulture, $"  origin – client, or hop beside it   {LabWords.Link(plan.Direct)}\n");
        text.Append(CultureInfo.InvariantCulture, $"  origin – hop, the better way        {LabWords.Link(plan.Haul)}\n");
        text.Append(CultureInfo.InvariantCulture, $"  hop – client                        {LabWords.Link(plan.Near)}\n\n");
        var rows = new List<(string[] Cells, string? Below)> { (isRepeated ? [.. Headings, "from", "to"] : Headings, null) };
        var group = "";
        foreach (var measurement in result.Measurements)
        {
            if (measurement.Journey.Group != group) rows.Add(([group = measurement.Journey.Group], null));
            rows.Add((Cells(result, measurement, isRepeated), measurement.Trouble));
        }

        Align(text, rows);
        text.Append("\nThe links are a model: it has no jitter, no reordering, no lost acknowledgements, no other traffic, no TLS, and no\ncomputer that is ever busy. See docs/operations/lab.md.\n");
        return text.ToString();
    }

    private static string[] Cells(LabResult result, Measurement measurement, bool isRepeated)
    {
        var name = (measurement.Journey.Group.Length > 0 ? "  " : "") + measurement.Journey.Name;
        if (measurement.Trouble is not null) return [name, "not measured"];
        var run = measurement.Middle;
        string[] cells = [name, LabWords.Time(run.Seconds), LabWords.Time(run.FirstByte), LabWords.Rate(result.Plan.Size / run.Seconds), LabWords.Times(result.Gain(measurement)), run.Connections.ToString(CultureInfo.InvariantCulture), LabWords.Bytes(run.Twice)];
        return isRepeated ? [.. cells, LabWords.Time(measurement.Runs[0].Seconds), LabWords.Time(measurement.Runs[^1].Seconds)] : cells;
    }

    private static void Align(StringBuilder text, List<(string[] Cells, string? Below)> rows)
    {
        var columns = rows.Max(static r => r.Cells.Length);
        // What stands alone in its row is a heading for others and may be as long as it likes.
        var widths = Enumerable.Range(0, columns).Select(i => rows.Where(r => r.Cells.Length > Math.Max(i, 1)).Max(r => r.Cells[i].Length)).ToArray();
        foreach (var (cells, below) in rows)
        {
            var line = string.Concat(cells.Select((cell, i) => i == 0 ? cell.PadRight(widths[0]) : "   " + cell.PadLeft(widths[i])));
            text.Append(line.TrimEnd()).Append('\n');
            if (below is null) continue;
            foreach (var said in below.TrimEnd().Split('\n')) text.Append("    ").Append(said).Append('\n');
        }
    }
}
