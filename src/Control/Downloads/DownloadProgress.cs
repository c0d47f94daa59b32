// How far a download has come, in one line of a terminal.

using System.Globalization;
using System.Text;
using Weir.Control.Admin;

namespace Weir.Control.Downloads;

/// <summary>What there is to show at a moment.</summary>
/// <param name="Bytes">That are there.</param>
/// <param name="Length">Of the whole; -1: not known.</param>
/// <param name="Connections">At work.</param>
/// <param name="Gain">How many times as fast it is as one connection; 0: not known.</param>
public readonly record struct DownloadMoment(long Bytes, long Length, int Connections, double Gain);

/// <summary>Writes the line; looks at the rate of the last seconds.</summary>
public sealed class DownloadProgress
{
    private const int LongestBar = 30;

    // Seconds: what came longer ago counts less.
    private const double Memory = 3;

    private TimeSpan at;
    private long bytes = -1;

    /// <summary>Bytes a second, of late.</summary>
    public double Rate { get; private set; }

    /// <summary>Looks again.</summary>
    /// <param name="moment">What there is.</param>
    /// <param name="now">When, since the start.</param>
    /// <param name="width">Columns.</param>
    public string Line(DownloadMoment moment, TimeSpan now, int width)
    {
        Measure(moment.Bytes, now);
        var text = new StringBuilder();
        if (moment.Length > 0) text.Append(CultureInfo.InvariantCulture, $"{Math.Min(100, moment.Bytes * 100 / moment.Length),3}%  {Amounts.Bytes(moment.Bytes)} of {Amounts.Bytes(moment.Length)}");
        else text.Append(Amounts.Bytes(moment.Bytes));
        text.Append("  ").Append(Amounts.Rate(Rate));
        if (moment.Connections > 0) text.Append(CultureInfo.InvariantCulture, $"  {moment.Connections} connection{(moment.Connections == 1 ? "" : "s")}");
        if (moment.Gain > 0) text.Append(CultureInfo.InvariantCulture, $"  {moment.Gain:0.0}×");
        if (moment.Length > 0 && Rate > 0) text.Append("  ").Append(Amounts.Time(TimeSpan.FromSeconds(Math.Min(359_999, (moment.Length - moment.Bytes) / Rate)))).Append(" left");
        var room = Math.Min(LongestBar, width - text.Length - 4);
        if (moment.Length > 0 && room >= 5) text.Insert(0, Bar((double)moment.Bytes / moment.Length, room) + " ");
        return text.Length < width ? text.ToString() : text.ToString(0, Math.Max(0, width - 1)); // A full line would begin another.
    }

    /// <summary>A bar of so many columns, brackets included.</summary>
    public static string Bar(double part, int width)
    {
        var full = (int)(Math.Clamp(part, 0, 1) * (width - 2));
        return $"[{new string('#', full)}{new string('.', width - 2 - full)}]";
    }

    private void Measure(long now, TimeSpan time)
    {
        var took = (time - at).TotalSeconds;
        if (bytes >= 0 && took <= 0) return;
        if (bytes >= 0)
        {
            var rate = Math.Max(0, now - bytes) / took;
            var weight = Rate == 0 ? 1 : 1 - Math.Exp(-took / Memory);
            Rate += weight * (rate - Rate);
        }

        (bytes, at) = (now, time);
    }
}
