// What weir top draws: a line of figures, the servers, and the transfers.

using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;
using Weir.Control.Admin;
using Weir.Control.Downloads;

namespace Weir.Cli;

internal static class TopView
{
    private const int BarWidth = 22;

    // Servers and transfers that are drawn: what is beyond is counted, and told by --json.
    private const int MostServers = 100, MostTransfers = 50;

    private static readonly Style Dim = new(decoration: Decoration.Dim);
    private static readonly Style Bad = new(foreground: Color.Red);

    public static IRenderable Draw(TopFigures figures, DateTimeOffset now)
    {
        var parts = new List<IRenderable> { new Text(Head(figures, now)), Servers(figures) };
        parts.Add(figures.Transfers.Count > 0 ? Transfers(figures) : new Text("no accelerated transfers", Dim));
        return new Rows(parts);
    }

    private static string Head(TopFigures figures, DateTimeOffset now)
    {
        var status = figures.Now.Status;
        var version = status.TryGetProperty("version", out var text) ? text.GetString() : "?";
        var since = status.TryGetProperty("started", out var started) && started.TryGetDateTimeOffset(out var then) ? $", for {Amounts.Time(now - then)}" : "";
        var hits = figures.Hits >= 0 ? string.Create(CultureInfo.InvariantCulture, $"   cache hits {figures.Hits:0}%") : "";
        return $"weir {version}{since}\nrequests {Amounts.Number(figures.Requests)}/s   under way {figures.UnderWay}   connections {figures.Connections}   sent {Amounts.Rate(figures.Sent)}   received {Amounts.Rate(figures.Received)}   memory {Amounts.Bytes(figures.Resident)}, buffers {Amounts.Bytes(figures.Buffers)}{hits}";
    }

    private static Table Servers(TopFigures figures)
    {
        var table = Plain("server", "state", "requests/s", "under way", "connections", "failures");
        for (var column = 2; column < 6; column++) table.Columns[column].RightAligned();
        foreach (var server in figures.Servers.Take(MostServers))
        {
            if (server.State.Length == 0) table.AddRow(new Text(server.Name));
            else table.AddRow(new Text("  " + server.Name), new Text(server.State, server.State == "available" ? Style.Plain : Bad), new Text(Amounts.Number(server.Requests)), new Text(Count(server.UnderWay)), new Text(Count(server.Connections)), new Text(Count(server.Failures)));
        }

        if (figures.Servers.Count > MostServers) table.AddRow(new Text($"and {figures.Servers.Count - MostServers} further ones", Dim));
        return table;
    }

    private static Table Transfers(TopFigures figures)
    {
        var table = Plain("transfer", "for", "", "sent", "rate", "gain", "parts", "ahead", "from");
        for (var column = 3; column < 8; column++) table.Columns[column].RightAligned();
        foreach (var one in figures.Transfers.Take(MostTransfers))
        {
            var part = one.Length > 0 ? (double)one.Sent / one.Length : 0;
            table.AddRow(
                new Text(one.Path),
                new Text(one.Client),
                new Text($"{DownloadProgress.Bar(part, BarWidth)} {(int)(part * 100),3}%"),
                new Text($"{Amounts.Bytes(one.Sent)} of {Amounts.Bytes(one.Length)}"),
                new Text(Amounts.Rate(one.Rate)),
                new Text(one.Gain > 0 ? string.Create(CultureInfo.InvariantCulture, $"{one.Gain:0.0}x") : ""),
                new Text($"{Count(one.Connections)}/{Count(one.Wanted)}{(one.Resumes > 0 ? $", {one.Resumes} resumed" : "")}"),
                new Text(Amounts.Bytes(one.Held)),
                new Text($"{one.Upstream}: {one.Sources}"));
        }

        if (figures.Transfers.Count > MostTransfers) table.AddRow(new Text($"and {figures.Transfers.Count - MostTransfers} further ones", Dim));
        return table;
    }

    private static Table Plain(params string[] headings)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = true };
        foreach (var heading in headings) table.AddColumn(new TableColumn(new Text(heading, Dim)) { Padding = new Padding(0, 0, 2, 0), NoWrap = true });
        return table;
    }

    private static string Count(long number) => number.ToString(CultureInfo.InvariantCulture);
}
