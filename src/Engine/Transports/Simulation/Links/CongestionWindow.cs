// How many segments a sender may have under way. Grows with what is acknowledged, shrinks at most once for what is lost
// within one round trip.

namespace Weir.Engine.Transports.Simulation.Links;

/// <summary>A congestion window, in segments.</summary>
internal abstract class CongestionWindow(double decrease)
{
    // RFC 6928.
    public const double Initial = 10;

    private const double Least = 2;

    public double Segments { get; protected set; } = Initial;

    /// <summary>Below it the window doubles with every round trip.</summary>
    public double Threshold { get; private set; } = double.PositiveInfinity;

    public bool IsSlowStart => Segments < Threshold;

    public static CongestionWindow Of(CongestionControl control) => control == CongestionControl.Reno ? new RenoWindow() : new CubicWindow();

    /// <summary>Segments have been acknowledged while the window was in use.</summary>
    /// <param name="acknowledged">How many.</param>
    /// <param name="now">Seconds.</param>
    /// <param name="roundTrip">Seconds.</param>
    public void Grow(double acknowledged, double now, double roundTrip)
    {
        if (IsSlowStart)
        {
            var slow = Math.Min(acknowledged, Threshold - Segments);
            Segments += slow;
            acknowledged -= slow;
        }

        if (acknowledged > 0) Avoid(acknowledged, now, roundTrip);
    }

    /// <summary>Something was lost.</summary>
    public void Shrink()
    {
        Remember(Segments);
        Segments = Threshold = Math.Max(Segments * decrease, Least);
    }

    /// <summary>Nothing came back for so long that all that is under way counts as lost.</summary>
    public void Collapse()
    {
        Remember(Segments);
        Threshold = Math.Max(Segments * decrease, Least);
        Segments = 1;
    }

    /// <summary>Nothing was sent for a while: RFC 5681 §4.1, halved for each time as Linux does.</summary>
    public void Age(double times)
    {
        if (Segments <= Initial) return;
        Threshold = Math.Max(Threshold == double.PositiveInfinity ? 0 : Threshold, 0.75 * Segments);
        Segments = Math.Max(Initial, Segments / Math.Pow(2, Math.Min(times, 32)));
    }

    /// <summary>The window grows beside the threshold.</summary>
    protected abstract void Avoid(double acknowledged, double now, double roundTrip);

    /// <summary>The window is about to shrink.</summary>
    protected abstract void Remember(double window);
}

/// <summary>RFC 5681: one segment more a round trip, half of it gone at a loss.</summary>
internal sealed class RenoWindow() : CongestionWindow(0.5)
{
    protected override void Avoid(double acknowledged, double now, double roundTrip) => Segments += acknowledged / Segments;

    protected override void Remember(double window)
    {
    }
}

/// <summary>RFC 9438: a cubic function of the time since the last loss, and never slower than Reno.</summary>
internal sealed class CubicWindow() : CongestionWindow(Beta)
{
    private const double Beta = 0.7;
    private const double C = 0.4;
    private const double Alpha = 3 * (1 - Beta) / (1 + Beta);

    private double most;
    private double friendly;
    private double since = -1;
    private double k;

    protected override void Avoid(double acknowledged, double now, double roundTrip)
    {
        if (since < 0)
        {
            since = now;
            friendly = Segments;
            most = Math.Max(most, Segments);
            k = Math.Cbrt((most - Segments) / C);
        }

        // As Linux does: §4.3 would take 1 for Alpha once the window is where it was before the loss.
        friendly += Alpha * acknowledged / Segments;
        if (At(now - since) < friendly)
        {
            Segments = Math.Max(Segments, friendly);
            return;
        }

        var target = Math.Clamp(At(now - since + roundTrip), Segments, 1.5 * Segments);
        Segments += (target - Segments) / Segments * acknowledged;
    }

    protected override void Remember(double window)
    {
        // Fast convergence (§4.7): whoever sinks makes room for others.
        most = window < most ? window * (1 + Beta) / 2 : window;
        since = -1;
    }

    private double At(double time) => (C * Math.Pow(time - k, 3)) + most;
}
