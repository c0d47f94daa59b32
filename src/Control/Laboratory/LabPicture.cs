// The result as a picture: how much of the file has come after how long. Time runs in powers of ten, since one way may take
// minutes where another takes hours. Scalable Vector Graphics, and nothing from elsewhere.

using System.Globalization;
using System.Text;

namespace Weir.Control.Laboratory;

/// <summary>Draws a result.</summary>
public static class LabPicture
{
    private const double Width = 960, Height = 560;
    private const double Left = 70, Right = 30, Top = 70, Bottom = 190;

    // Of one line; more is not seen.
    private const int MostPoints = 400;

    // Told apart by who sees few colours too (Okabe and Ito 2008), and by their dashes.
    private static readonly (string Colour, string Dashes)[] Styles = [("#000000", ""), ("#0072b2", "7 4"), ("#0072b2", ""), ("#d55e00", "7 4"), ("#d55e00", "")];

    private static readonly (double Seconds, string Name)[] Marks =
        [(0.1, "0.1 s"), (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (36_000, "10 h"), (864_000, "10 d")];

    public static string Draw(LabResult result)
    {
        var drawn = result.Measurements.Where(static m => m.Trouble is null && m.Middle.Progress.Length > 0).ToArray();
        var from = drawn.Length == 0 ? 0.1 : drawn.Min(static m => m.Middle.Progress[0].Seconds) * 0.8;
        var to = drawn.Length == 0 ? 1 : drawn.Max(static m => m.Middle.Seconds) * 1.15;
        double X(double seconds) => Left + ((Width - Left - Right) * Math.Log(Math.Max(seconds, from) / from) / Math.Log(to / from));
        double Y(double bytes) => Height - Bottom - ((Height - Top - Bottom) * bytes / result.Plan.Size);

        var svg = new StringBuilder();
        Say(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"13\">\n");
        Say(svg, $"<title>A file of {LabWords.Bytes(result.Plan.Size)} over a bad link</title>\n<rect width=\"{Width}\" height=\"{Height}\" fill=\"#ffffff\"/>\n");
        Say(svg, $"<text x=\"{Left}\" y=\"28\" font-size=\"18\">A file of {LabWords.Bytes(result.Plan.Size)} over a bad link</text>\n<text x=\"{Left}\" y=\"48\" fill=\"#555555\">{Escape(LabWords.Link(result.Plan.Direct))}</text>\n");
        foreach (var (seconds, name) in Marks.Where(m => m.Seconds >= from && m.Seconds <= to))
            Say(svg, $"<path d=\"M{X(seconds):0.#} {Top}V{Height - Bottom}\" stroke=\"#dddddd\"/><text x=\"{X(seconds):0.#}\" y=\"{Height - Bottom + 20}\" text-anchor=\"middle\" fill=\"#555555\">{name}</text>\n");
        for (var quarter = 0; quarter <= 4; quarter++)
            Say(svg, $"<path d=\"M{Left} {Y(result.Plan.Size * quarter / 4.0):0.#}H{Width - Right}\" stroke=\"#dddddd\"/><text x=\"{Left - 8}\" y=\"{Y(result.Plan.Size * quarter / 4.0) + 4:0.#}\" text-anchor=\"end\" fill=\"#555555\">{quarter * 25} %</text>\n");
        for (var i = 0; i < result.Measurements.Length; i++)
        {
            var (measurement, (colour, dashes)) = (result.Measurements[i], Styles[i % Styles.Length]);
            var dash = dashes.Length > 0 ? $" stroke-dasharray=\"{dashes}\"" : "";
            var y = Height - Bottom + 52 + (i * 22);
            Say(svg, $"<path d=\"M{Left} {y - 4}h34\" stroke=\"{colour}\" stroke-width=\"2.5\"{dash}/><text x=\"{Left + 44}\" y=\"{y}\">{Escape(Legend(result, measurement))}</text>\n");
            if (!drawn.Contains(measurement)) continue;
            var points = measurement.Middle.Progress;
            var every = Math.Max(1, points.Length / MostPoints);
            var line = string.Join('L', points.Where((_, n) => n % every == 0 || n == points.Length - 1).Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.Seconds):0.#} {Y(p.Bytes):0.#}")));
            Say(svg, $"<path d=\"M{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"{dash}/><circle cx=\"{X(points[^1].Seconds):0.#}\" cy=\"{Y(points[^1].Bytes):0.#}\" r=\"4\" fill=\"{colour}\"/>\n");
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static string Legend(LabResult result, Measurement measurement)
    {
        var name = measurement.Journey.Group.Length == 0 ? measurement.Journey.Name : $"{measurement.Journey.Name}: {measurement.Journey.Group}";
        return measurement.Trouble is null ? $"{name}: {LabWords.Time(measurement.Middle.Seconds)}, {LabWords.Times(result.Gain(measurement))}" : $"{name}: not measured";
    }

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);

    private static void Say(StringBuilder into, FormattableString text) => into.Append(text.ToString(CultureInfo.InvariantCulture));
}
