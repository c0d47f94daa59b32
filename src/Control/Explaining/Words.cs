// Values in the words an operator writes them with.

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Control.Configuration;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;

namespace Weir.Control.Explaining;

internal static class Words
{
    /// <summary>File and line.</summary>
    public static string Place(IWritten written) => $"{Path.GetFileName(written.At.File)}:{written.At.Line}";

    /// <summary>Milliseconds.</summary>
    public static string Duration(long milliseconds) => milliseconds switch
    {
        Timeouts.None => "off",
        >= 3_600_000 when milliseconds % 3_600_000 == 0 => Number(milliseconds / 3_600_000, "h"),
        >= 120_000 when milliseconds % 60_000 == 0 => Number(milliseconds / 60_000, "m"),
        _ when milliseconds % 1_000 == 0 => Number(milliseconds / 1_000, "s"),
        _ => Number(milliseconds, "ms"),
    };

    /// <summary>Bytes.</summary>
    public static string Size(long bytes) => bytes switch
    {
        long.MaxValue => "off",
        >= 1 << 30 when bytes % (1 << 30) == 0 => Number(bytes >> 30, "GiB"),
        >= 1 << 20 when bytes % (1 << 20) == 0 => Number(bytes >> 20, "MiB"),
        >= 1 << 10 when bytes % (1 << 10) == 0 => Number(bytes >> 10, "KiB"),
        _ => Number(bytes, "B"),
    };

    /// <summary>An expression as it was written: what makes it match a whole value is ours.</summary>
    public static string Expression(Regex expression) =>
        expression.ToString() is ['^', '(', '?', ':', .. var written, ')', '\\', 'z'] ? written : expression.ToString();

    /// <summary>When another endpoint is asked.</summary>
    public static string Retry(RetryPlan plan, RetryConfig written) =>
        plan.Attempts == 0 ? "no retries" : $"{plan.Attempts} retries on {string.Join(' ', written.On ?? ["connect", "reset", "timeout", "502", "503", "504"])}{(plan.PerTry == Timeouts.None ? "" : $", per_try {Duration(plan.PerTry)}")}, budget {plan.BudgetPercent}%";

    /// <summary>Why a fault was answered.</summary>
    public static string Cause(FaultCause cause)
    {
        var words = new StringBuilder();
        foreach (var c in cause.ToString()) words.Append(char.IsUpper(c) && words.Length > 0 ? $" {char.ToLowerInvariant(c)}" : char.ToLowerInvariant(c).ToString());
        return words.ToString();
    }

    /// <summary>One, or several and the last.</summary>
    public static string Or(IReadOnlyList<string> several) =>
        several.Count == 1 ? several[0] : $"{string.Join(", ", several.Take(several.Count - 1))} or {several[^1]}";

    private static string Number(long value, string unit) => value.ToString(CultureInfo.InvariantCulture) + unit;
}
