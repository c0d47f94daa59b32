// Who was asked already on behalf of one exchange: it is not asked again while somebody else is left.

namespace Weir.Engine.Exchanges;

/// <summary>The endpoints that an exchange has tried. One loop.</summary>
public sealed class Tried
{
    /// <summary>The most that an exchange may try.</summary>
    public const int Most = 10;

    private readonly object?[] endpoints = new object?[Most];

    /// <summary>How many were tried.</summary>
    public int Count { get; private set; }

    /// <summary>Remembers one; beyond <see cref="Most"/> nothing more is remembered.</summary>
    public void Add(object endpoint)
    {
        if (Count < Most) endpoints[Count] = endpoint;
        Count++;
    }

    /// <summary>Forgets the last one: it was not asked after all.</summary>
    public void RemoveLast()
    {
        if (--Count < Most) endpoints[Count] = null;
    }

    public bool Contains(object endpoint)
    {
        for (var i = 0; i < Math.Min(Count, Most); i++)
        {
            if (ReferenceEquals(endpoints[i], endpoint)) return true;
        }

        return false;
    }

    public void Clear()
    {
        while (Count > 0) RemoveLast();
    }
}
