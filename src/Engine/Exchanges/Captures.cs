// What the parts of a path, or the groups of a regular expression, matched: small, bounded, ranges into the exchange's
// own bytes.

namespace Weir.Engine.Exchanges;

/// <summary>Captured groups by number, 0 for the whole match. Names are resolved to numbers when the plan is made.</summary>
public sealed class Captures
{
    /// <summary>Groups kept; further ones read as empty.</summary>
    public const int Most = 32;

    private readonly ByteRange[] groups = new ByteRange[Most];
    private int count;

    public int Count => count;

    /// <summary>Groups from this number on are of the path as it is sent on, still encoded; those before, of the decoded one.</summary>
    public int EncodedFrom { get; set; } = Most;

    public ByteRange this[int group] => group < count ? groups[group] : default;

    public void Set(int group, ByteRange value)
    {
        if (group >= Most) return;
        while (count <= group) groups[count++] = default;
        groups[group] = value;
    }

    public void Clear()
    {
        count = 0;
        EncodedFrom = Most;
    }
}
