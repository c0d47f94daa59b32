// Bytes, rates and times for people: three figures and a unit.

using System.Globalization;

namespace Weir.Control.Admin;

/// <summary>Writes amounts.</summary>
public static class Amounts
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>Such as 12.3 MiB.</summary>
    public static string Bytes(double bytes)
    {
        var unit = 0;
        for (; Math.Abs(bytes) >= 999.5 && unit < Units.Length - 1; unit++) bytes /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{Figures(bytes, unit == 0)} {Units[unit]}");
    }

    /// <summary>Such as 12.3 MiB/s.</summary>
    public static string Rate(double bytesPerSecond) => Bytes(bytesPerSecond) + "/s";

    /// <summary>Such as 3.2 per second.</summary>
    public static string Number(double number) => Figures(number, number == Math.Floor(number));

    /// <summary>Such as 0:07, 12:30 or 2:00:00.</summary>
    public static string Time(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}")
        : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:00}");

    private static string Figures(double number, bool isWhole) => number.ToString(isWhole || number >= 99.95 ? "0" : number >= 9.995 ? "0.0" : "0.00", CultureInfo.InvariantCulture);
}
