// The right word that is nearest to a wrong one.

namespace Weir.Control.Configuration;

/// <summary>Suggests words.</summary>
public static class NearestWord
{
    /// <summary>"; did you mean 'x'?", or nothing where no word is near.</summary>
    public static string Suggest(string wrong, IEnumerable<string> right, IReadOnlyDictionary<string, string>? others = null) => Find(wrong, right, others) is { } word ? $"; did you mean '{word}'?" : "";

    /// <summary>The nearest word; null where none is near.</summary>
    /// <param name="wrong">What was written.</param>
    /// <param name="right">The words there are.</param>
    /// <param name="others">What other programs call them, in lower case with '_': no number of edits leads from there.</param>
    public static string? Find(string wrong, IEnumerable<string> right, IReadOnlyDictionary<string, string>? others = null)
    {
        if (others?.GetValueOrDefault(wrong.ToLowerInvariant().Replace('-', '_')) is { } same && right.Contains(same)) return same;
        var best = right.Select(word => (Word: word, Distance: Distance(wrong, word))).OrderBy(c => c.Distance).FirstOrDefault();
        return best.Word is not null && best.Distance <= Math.Max(2, wrong.Length / 3) ? best.Word : null;
    }

    // Edits (insert, delete, replace, swap of neighbours) between two words.
    private static int Distance(string a, string b)
    {
        if (a.Length > 64 || b.Length > 64) return int.MaxValue;
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }

        return d[a.Length, b.Length];
    }
}
