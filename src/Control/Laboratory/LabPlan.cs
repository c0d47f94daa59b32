// What the laboratory is asked to measure. As it stands it tells the story this proxy began with: a file lies in Tokyo, the
// way from there to Chengdu is long and loses much, and a hop in Beijing has good ways to both.

using Weir.Engine.Transports.Simulation.Links;

namespace Weir.Control.Laboratory;

/// <summary>What is measured.</summary>
public sealed record LabPlan
{
    /// <summary>Bytes of the file.</summary>
    public long Size { get; init; } = 650_000_000;

    /// <summary>Where chance begins.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Runs of each measurement, with one seed after the other.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>Between origin and client, and where there is no better way, between origin and hop.</summary>
    public LinkSettings Direct { get; init; } = new() { RoundTrip = 200_000, Loss = 0.01, Bandwidth = 12_500_000 };

    /// <summary>Between origin and hop, where the hop has a better way.</summary>
    public LinkSettings Haul { get; init; } = new() { RoundTrip = 60_000, Loss = 0.0005, Bandwidth = 125_000_000 };

    /// <summary>Between hop and client.</summary>
    public LinkSettings Near { get; init; } = new() { RoundTrip = 30_000, Bandwidth = 12_500_000 };

    /// <summary>The lines of the route that make it fetch parallel ranges.</summary>
    public string Accelerated { get; init; } = "accelerate: { segments: 8 }";

    /// <summary>Between client and a hop that stands beside it.</summary>
    internal LinkSettings Beside => new() { RoundTrip = 500, Bandwidth = 125_000_000, Control = Direct.Control };
}

/// <summary>How the file travels in one measurement.</summary>
/// <param name="Key">Its name for programs.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Group">What it has in common with its neighbours.</param>
/// <param name="IsDirect">No hop lies between.</param>
/// <param name="Haul">The link that ends at the origin.</param>
/// <param name="Near">The link that ends at the client; of a direct one the same.</param>
/// <param name="Route">The lines of the hop's route besides its upstream.</param>
internal sealed record Journey(string Key, string Name, string Group, bool IsDirect, LinkSettings Haul, LinkSettings Near, string Route = "")
{
    /// <summary>All that are measured, the one that others are compared with first.</summary>
    public static Journey[] Of(LabPlan plan) =>
    [
        new("direct", "direct", "", true, plan.Direct, plan.Direct),
        new("hop", "plain hop", "a hop with a better way to the origin", false, plan.Haul, plan.Near),
        new("hop_parallel", "Weir, parallel ranges", "a hop with a better way to the origin", false, plan.Haul, plan.Near, plan.Accelerated),
        new("beside", "plain hop", "a hop beside the client, the same way to the origin", false, plan.Direct, plan.Beside),
        new("beside_parallel", "Weir, parallel ranges", "a hop beside the client, the same way to the origin", false, plan.Direct, plan.Beside, plan.Accelerated),
    ];
}
