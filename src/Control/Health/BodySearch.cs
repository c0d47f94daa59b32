// Whether a text stands at the beginning of a body that comes in pieces, wherever they are cut.

namespace Weir.Control.Health;

/// <summary>Looks for <paramref name="wanted"/> in the first <paramref name="most"/> bytes.</summary>
public sealed class BodySearch(byte[] wanted, int most)
{
    private readonly byte[] seam = new byte[2 * Math.Max(0, wanted.Length - 1)];
    private int kept; // The end of what came so far, at the front of the seam: shorter than what is wanted.
    private int seen;

    public bool IsFound { get; private set; } = wanted.Length == 0;

    /// <summary>Whether no further piece can change the answer.</summary>
    public bool IsOver => IsFound || seen == most;

    /// <summary>Takes the next piece in.</summary>
    public void Feed(ReadOnlySpan<byte> piece)
    {
        if (piece.Length > most - seen) piece = piece[..(most - seen)];
        seen += piece.Length;
        if (IsFound) return;
        var reach = Math.Min(piece.Length, wanted.Length - 1);
        piece[..reach].CopyTo(seam.AsSpan(kept));
        IsFound = seam.AsSpan(0, kept + reach).IndexOf(wanted) >= 0 || piece.IndexOf(wanted) >= 0;
        if (piece.Length >= wanted.Length - 1)
        {
            kept = wanted.Length - 1;
            piece[^kept..].CopyTo(seam);
            return;
        }

        var drop = Math.Max(0, kept + reach - (wanted.Length - 1));
        kept += reach - drop;
        seam.AsSpan(drop, kept).CopyTo(seam);
    }
}
