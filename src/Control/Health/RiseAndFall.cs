// From checks to a verdict: so many failures in a row are a fall, so many successes a rise. The first check of all decides
// at once, and until then an endpoint is taken as healthy.

namespace Weir.Control.Health;

/// <summary>What a check has brought about.</summary>
public enum Turn : byte
{
    None,
    Rise,
    Fall,
}

/// <summary>The memory of one endpoint's checks. A value.</summary>
public struct RiseAndFall
{
    private bool isUnhealthy;
    private bool lastPassed;

    public readonly bool IsHealthy => !isUnhealthy;

    /// <summary>Checks in a row with the last one's outcome; 0: none yet.</summary>
    public int InARow { get; private set; }

    /// <summary>Takes a check in.</summary>
    public Turn Take(bool passed, int rise, int fall)
    {
        var isFirst = InARow == 0;
        InARow = passed == lastPassed && !isFirst ? Math.Min(InARow + 1, int.MaxValue - 1) : 1;
        lastPassed = passed;
        if (passed != isUnhealthy || !(isFirst || InARow >= (passed ? rise : fall))) return Turn.None;
        isUnhealthy = !passed;
        return passed ? Turn.Rise : Turn.Fall;
    }
}
