// Statuses, as a condition.

namespace Weir.Engine.Exchanges;

/// <summary>A set of statuses from 100 to 599. Immutable.</summary>
public sealed class StatusSet : IEquatable<StatusSet>
{
    private readonly bool[] has = new bool[500];

    public StatusSet(IEnumerable<(int First, int Last)> ranges)
    {
        foreach (var (first, last) in ranges)
        {
            for (var status = Math.Max(100, first); status <= Math.Min(599, last); status++) has[status - 100] = true;
        }
    }

    public static StatusSet None { get; } = new([]);

    /// <summary>502, 503 and 504.</summary>
    public static StatusSet Unavailable { get; } = new([(502, 504)]);

    public bool Contains(int status) => (uint)(status - 100) < (uint)has.Length && has[status - 100];

    public bool Equals(StatusSet? other) => other is not null && has.AsSpan().SequenceEqual(other.has);

    public override bool Equals(object? obj) => Equals(obj as StatusSet);

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>Its statuses, one after the other.</summary>
    public override string ToString() => string.Join(' ', Enumerable.Range(100, has.Length).Where(Contains));
}
