// A route shared out among several upstreams. Each side draws a number that follows from the client and the side's name; the
// smallest, by weight, wins (weighted rendezvous hashing): shares are as the weights say, whatever the order, and where a
// weight grows only clients that come to it move.

using System.Buffers.Text;
using System.Text;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;

namespace Weir.Engine;

/// <summary>One side of a split.</summary>
/// <param name="Name">What its clients are drawn by: its upstream.</param>
/// <param name="Weight">Its share relative to the others; 0: nobody's.</param>
/// <param name="Route">The route as it is on that side.</param>
public sealed record SplitSide(string Name, int Weight, RoutePlan Route)
{
    internal ulong Place { get; } = HashKey.Mix(HashKey.Hash(Encoding.UTF8.GetBytes(Name)));
}

/// <summary>A split. Immutable; any loop.</summary>
/// <param name="key">What keeps a client on its side; null: nothing, each request is drawn anew.</param>
/// <param name="gives">Whether a client without the key is given one.</param>
/// <param name="fallsBack">Whether a side none of whose endpoints is available leaves its requests to the others.</param>
public sealed class Split(HashKey? key, bool gives, bool fallsBack)
{
    private const int ValueBytes = 16;
    private const int ValueLength = 22;

    /// <summary>The sides; set once, before the plan is in force.</summary>
    public SplitSide[] Sides { get; set; } = [];

    /// <summary>Whether the same request is always on the same side.</summary>
    public bool IsFixed(Exchange exchange) => key is not null && key.TryHash(exchange, out _);

    /// <summary>The route that a request takes.</summary>
    public RoutePlan Choose(Exchange exchange)
    {
        if (key is null || !key.TryHash(exchange, out var hash)) hash = key is not null && gives ? Give(exchange) : (ulong)exchange.Loop.Random.NextInt64();
        var side = fallsBack ? Best(hash, onlyAvailable: true) : null;
        return (side ?? Best(hash, onlyAvailable: false)!).Route;
    }

    private SplitSide? Best(ulong hash, bool onlyAvailable)
    {
        SplitSide? best = null;
        var least = double.PositiveInfinity;
        foreach (var side in Sides)
        {
            if (side.Weight == 0 || (onlyAvailable && !side.Route.Forward!.Upstream.HasAvailable)) continue;
            // Of (0, 1], made exponential: the least of these is each side's as often as its weight says.
            var drawn = ((HashKey.Mix(hash ^ side.Place) >> 11) + 1) * (1.0 / (1UL << 53));
            var cost = -Math.Log(drawn) / side.Weight;
            if (cost >= least && best is not null) continue;
            (best, least) = (side, cost);
        }

        return best;
    }

    // By chance, but no secret: a client may send any value, and leave one out until it likes the side.
    private static ulong Give(Exchange exchange)
    {
        Span<byte> bytes = stackalloc byte[ValueBytes];
        exchange.Loop.Random.NextBytes(bytes);
        if (exchange.Scratch.TryTake(ValueLength, out var text, out var range))
        {
            Base64Url.EncodeToUtf8(bytes, text, out _, out _);
            exchange.SplitValue = range;
            return HashKey.Hash(text);
        }

        return HashKey.Hash(bytes);
    }
}
