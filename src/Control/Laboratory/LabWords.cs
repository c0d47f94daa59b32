// Numbers as people read them.

using System.Globalization;
using Weir.Engine.Transports.Simulation.Links;

namespace Weir.Control.Laboratory;

internal static class LabWords
{
    public static string Time(double seconds) => seconds switch
    {
        < 10 => Say($"{seconds:0.00} s"),
        < 120 => Say($"{seconds:0.0} s"),
        < 5_400 => Say($"{(long)Math.Round(seconds) / 60} min {(long)Math.Round(seconds) % 60:00} s"),
        _ => Say($"{(long)Math.Round(seconds / 60) / 60} h {(long)Math.Round(seconds / 60) % 60:00} min"),
    };

    public static string Bytes(double bytes) => bytes switch
    {
        < 1e3 => Say($"{bytes:0} B"),
        < 1e6 => Say($"{bytes / 1e3:0} kB"),
        < 1e9 => Say($"{bytes / 1e6:0.#} MB"),
        _ => Say($"{bytes / 1e9:0.00} GB"),
    };

    public static string Rate(double bytesInSecond) => $"{Bytes(bytesInSecond)}/s";

    public static string Times(double factor) => factor < 100 ? Say($"{factor:0.0} ×") : Say($"{factor:0} ×");

    /// <summary>A link in one line.</summary>
    public static string Link(LinkSettings link)
    {
        var words = new List<string> { Say($"{link.RoundTrip / 1000.0:0.###} ms there and back") };
        words.Add(link.Loss == 0 ? "nothing lost" : Say($"{link.Loss * 100:0.####} % lost{(link.Burst > 1 ? Say($" in bursts of {link.Burst:0.#} packets") : "")}"));
        if (link.Rate > 0) words.Add($"{Rate(link.Rate)} a connection");
        if (link.Bandwidth > 0) words.Add($"{Rate(link.Bandwidth)} in all");
        if (link.ResetAfter > 0) words.Add($"reset after {Time(link.ResetAfter)} on average");
        return string.Join(", ", words);
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
