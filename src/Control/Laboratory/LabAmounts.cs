// Amounts as the laboratory is asked for them. Links are sold in powers of ten, so both kinds of prefixes are read.

using System.Globalization;

namespace Weir.Control.Laboratory;

/// <summary>Reads amounts; null: it is none, or out of bounds.</summary>
public static class LabAmounts
{
    private static readonly (string Unit, double Factor)[] Times = [("us", 1e-6), ("ms", 1e-3), ("s", 1)];

    private static readonly (string Unit, double Factor)[] Sizes =
        [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1)];

    private static readonly (string Unit, double Factor)[] Rates =
        [("kbit/s", 125), ("Mbit/s", 125e3), ("Gbit/s", 125e6), .. Sizes.Select(static s => ($"{s.Unit}/s", s.Factor))];

    private static readonly (string Unit, double Factor)[] Frequencies = [("/s", 1), ("/min", 1 / 60.0), ("/h", 1 / 3600.0), ("/d", 1 / 86400.0)];

    /// <summary>A round trip of at most a minute, in seconds.</summary>
    public static double? Time(string text) => Within(Measured(text, Times), 0, 60);

    /// <summary>A share such as 1%, as a part of one.</summary>
    public static double? Share(string text, double most) => Within(Measured(text, [("%", 0.01)]), 0, most);

    /// <summary>A size such as 650MB, in bytes.</summary>
    public static double? Size(string text, double least, double most) => Within(Measured(text, Sizes), least, most);

    /// <summary>A rate such as 2MB/s or 16Mbit/s, in bytes a second; 0: off.</summary>
    public static double? Rate(string text) => text == "off" ? 0 : Within(Measured(text, Rates), 1_000, 1e12);

    /// <summary>Times a second, such as 6/h; 0: off.</summary>
    public static double? Frequency(string text) => text == "off" ? 0 : Within(Measured(text, Frequencies), 1e-9, 10);

    /// <summary>A number.</summary>
    public static double? Number(string text, double least, double most) => Within(Measured(text, [("", 1)]), least, most);

    private static double? Within(double? value, double least, double most) => value >= least && value <= most ? value : null;

    private static double? Measured(string text, (string Unit, double Factor)[] units)
    {
        foreach (var (unit, factor) in units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal) && double.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return number * factor;
        }

        return null;
    }
}
