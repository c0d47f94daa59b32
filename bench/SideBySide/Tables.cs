// What was measured, for reading: a full table for each row as text, and one line for each row as Markdown. Everything is
// the median of the rounds; a ratio is the median of the rounds' own ratios, so that noise that all peers of a round felt
// falls out.

using System.Globalization;
using System.Text;

namespace Weir.Bench.SideBySide;

internal sealed class Tables(Run run)
{
    // Those that have a part in what was measured.
    private IEnumerable<string> Peers => run.Everybody.Select(p => p.Name).Where(p => run.Loads.Any(s => s.Peer == p) || run.Figures.Any(f => f.Peer == p));

    private IEnumerable<string> Rivals => Peers.Where(p => p != "weir");

    public string ToText()
    {
        var text = new StringBuilder();
        foreach (var row in Row.Tabled)
        {
            foreach (var group in run.Loads.Where(s => s.Row == row.Name).GroupBy(s => s.Case)) Table(text, row, group.Key, [.. group]);
            foreach (var group in run.Figures.Where(f => f.Row == row.Name).GroupBy(f => f.Case)) Line(text, row, group.Key, [.. group]);
        }

        Deltas(text);
        text.Append("\nothers %: how busy other processes kept the proxy's processor meanwhile. Above a few per cent a figure is not worth much.\n");
        return text.ToString();
    }

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"| work | {string.Join(" | ", Peers.Select(p => $"{p} {run.Versions[p]}"))} |{string.Concat(Rivals.Where(_ => Has("weir")).Select(p => $" weir ÷ {p} |"))}\n");
        text.Append(CultureInfo.InvariantCulture, $"| --- |{string.Concat(Peers.Select(_ => " ---: |"))}{string.Concat(Rivals.Where(_ => Has("weir")).Select(_ => " ---: |"))}\n");
        foreach (var row in Row.Tabled)
        {
            foreach (var group in run.Loads.Where(s => s.Row == row.Name).GroupBy(s => s.Case))
            {
                LoadSample[] samples = [.. group];
                var title = group.Key.Length > 0 ? $"{row.Title}: {group.Key}" : row.Title;
                if (row.Name == "p99") MarkdownLine(text, $"{title}: p99, µs", p => Median.Of(Of(samples, p).Select(s => s.Load.P99)), p => Ratio(samples, p, s => s.Load.P99));
                else MarkdownLine(text, $"{title}: CPU {UnitOf(row)}", p => Median.Of(Of(samples, p).Select(s => s.Total)) / ScaleOf(row), p => Ratio(samples, p, s => s.Total));
            }

            foreach (var group in run.Figures.Where(f => f.Row == row.Name).GroupBy(f => f.Case))
            {
                double Value(string p) => Median.Of(group.Where(f => f.Peer == p).Select(f => f.Value));
                MarkdownLine(text, $"{row.Title}{(group.Key.Length > 0 ? $": {group.Key}" : "")}, {group.First().Unit}", Value, p => Value("weir") / Value(p));
            }
        }

        return text.ToString();
    }

    private void Table(StringBuilder text, Row row, string @case, LoadSample[] samples)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n{row.Name}: {row.Title}{(@case.Length > 0 ? $": {@case}" : "")}\n");
        text.Append(CultureInfo.InvariantCulture, $"  {"",-8} {"CPU " + UnitOf(row),36} {"",10}{string.Concat(Peers.Select(p => $"{"÷ " + p,10}"))}{"p50 µs",10}{"p99 µs",10}{"p99.9 µs",10}{"RSS MiB",9}{"private",9}{"others %",10}{"errors",8}\n");
        var (scale, perSecond) = (ScaleOf(row), ScaleOf(row) == 1 ? 1 : 100);
        text.Append(CultureInfo.InvariantCulture, $"  {"",-8} {"user",12}{"kernel",12}{"total",12} {(perSecond == 1 ? "req/s" : "MiB/s"),10}\n");
        foreach (var peer in Peers)
        {
            LoadSample[] own = [.. Of(samples, peer)];
            if (own.Length == 0) continue;
            double M(Func<LoadSample, double> value) => Median.Of(own.Select(value));
            text.Append(CultureInfo.InvariantCulture, $"  {peer,-8} {M(s => s.User) / scale,12:F2}{M(s => s.Kernel) / scale,12:F2}{M(s => s.Total) / scale,12:F2} {M(s => s.UnitsPerSecond) * perSecond,10:F0}");
            foreach (var other in Peers) text.Append(CultureInfo.InvariantCulture, $"{Ratio(samples, peer, other, s => s.Total),10:F2}");
            text.Append(CultureInfo.InvariantCulture, $"{M(s => s.Load.P50),10:F0}{M(s => s.Load.P99),10:F0}{M(s => s.Load.P999),10:F0}{M(s => s.Resident) / 1048576,9:F1}{M(s => s.Private) / 1048576,9:F1}{M(s => s.OthersShare) * 100,10:F0}{own.Sum(s => s.Load.Errors),8}\n");
        }
    }

    private static void Line(StringBuilder text, Row row, string @case, Figure[] figures)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n{row.Name}: {row.Title}{(@case.Length > 0 ? $": {@case}" : "")}, {figures[0].Unit}\n ");
        foreach (var group in figures.GroupBy(f => f.Peer)) text.Append(CultureInfo.InvariantCulture, $" {group.Key} {Median.Of(group.Select(f => f.Value)):F1}  ");
        text.Append('\n');
    }

    // Rows of two cases are about the difference.
    private void Deltas(StringBuilder text)
    {
        foreach (var (row, without, with) in (ReadOnlySpan<(string, string, string)>)[("routes", "one route", "10,000 routes"), ("log", "off", "on")])
        {
            LoadSample[] samples = [.. run.Loads.Where(s => s.Row == row)];
            if (samples.Length == 0) continue;
            text.Append(CultureInfo.InvariantCulture, $"\n{row}: {with} against {without}, CPU per request\n ");
            foreach (var peer in Peers)
            {
                LoadSample[] own = [.. Of(samples, peer)];
                (double Less, double More)[] pairs = [.. own.Where(s => s.Case == without).Join(own.Where(s => s.Case == with), a => a.Round, b => b.Round, (a, b) => (a.Total, b.Total))];
                if (pairs.Length > 0) text.Append(CultureInfo.InvariantCulture, $" {peer} {Median.Of(pairs.Select(p => p.More - p.Less)):+0.00;-0.00} µs ({(Median.Of(pairs.Select(p => p.More / p.Less)) - 1) * 100:+0;-0} %)  ");
            }

            text.Append('\n');
        }
    }

    private void MarkdownLine(StringBuilder text, string title, Func<string, double> value, Func<string, double> ratio)
    {
        text.Append(CultureInfo.InvariantCulture, $"| {title} |{string.Concat(Peers.Select(p => $" {Number(value(p))} |"))}");
        if (Has("weir")) text.AppendJoin("", Rivals.Select(p => double.IsFinite(ratio(p)) ? FormattableString.Invariant($" {ratio(p):F2} |") : " |"));
        text.Append('\n');
    }

    private static string Number(double value) => !double.IsFinite(value) ? "" : value.ToString(Math.Abs(value) >= 100 ? "#,0" : "0.0", CultureInfo.InvariantCulture);

    private bool Has(string peer) => Peers.Contains(peer);

    private static string UnitOf(Row row) => $"{(ScaleOf(row) == 1 ? "µs" : "ms")} per {(row as LoadRow)?.Unit ?? "request"}";

    private static double ScaleOf(Row row) => row is LoadRow { IsByBytes: true } ? 1000 : 1;

    private static IEnumerable<LoadSample> Of(IEnumerable<LoadSample> samples, string peer) => samples.Where(s => s.Peer == peer);

    private static double Ratio(LoadSample[] samples, string rival, Func<LoadSample, double> value) => Ratio(samples, "weir", rival, value);

    private static double Ratio(LoadSample[] samples, string peer, string rival, Func<LoadSample, double> value) =>
        Median.Of(Of(samples, peer).Join(Of(samples, rival), a => a.Round, b => b.Round, (a, b) => value(a) / value(b)));
}
