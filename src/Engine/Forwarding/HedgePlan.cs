// When a request that has no answer yet is sent to a second endpoint as well, compiled.

namespace Weir.Engine.Forwarding;

/// <summary>When a second endpoint is asked beside the first. Immutable.</summary>
/// <param name="After">Milliseconds after the request was sent; 0: after the percentile.</param>
/// <param name="Percentile">Of the upstream's times to an answer's head, in percent; 0: a fixed time.</param>
/// <param name="MostPercent">Requests asked twice in a hundred, beside one a second.</param>
public sealed record HedgePlan(long After, int Percentile, int MostPercent);
