// What a route says about mirroring, compiled. Immutable.

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Routing;
using Weir.Wire.Http1;

namespace Weir.Engine.Mirroring;

/// <summary>Which of a route's requests are sent to another upstream as well, and how.</summary>
public sealed record MirrorPlan
{
    /// <summary>A share of 100 %.</summary>
    public const int Whole = 1_000_000;

    /// <summary>The most that <see cref="MostBody"/> can be.</summary>
    public const int LargestBody = 262_144;

    /// <summary>How the copies are forwarded: once each.</summary>
    public required ForwardPlan Forward { get; init; }

    /// <summary>The times that copies may take.</summary>
    public Timeouts Timeouts { get; init; } = new();

    /// <summary>Of <see cref="Whole"/>, how many requests.</summary>
    public int Share { get; init; } = Whole;

    /// <summary>Requests with longer bodies are not mirrored, in bytes.</summary>
    public int MostBody { get; init; } = 65_536;

    /// <summary>Copies under way at once, per loop, to the upstream.</summary>
    public int Most { get; init; } = 100;

    /// <summary>Only these; null: all methods.</summary>
    public MethodCondition? Methods { get; init; }

    /// <summary>What may become a tunnel is never mirrored.</summary>
    public static bool CanPick(Request request) => request.KnownMethod != KnownMethod.Connect && !request.WantsUpgrade;

    /// <summary>Whether a request is one of the share.</summary>
    public bool Picks(Exchange exchange)
    {
        if (!CanPick(exchange.Request)) return false;
        if (Methods is not null && !Methods.Holds(exchange)) return false;
        return Share >= Whole || exchange.Loop.Random.Next(Whole) < Share;
    }
}
