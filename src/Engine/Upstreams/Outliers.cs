// What an endpoint's answers say about it: failures in a row, and their share. Ejections grow while they follow each other.

namespace Weir.Engine.Upstreams;

/// <summary>Watches one endpoint's outcomes. Any thread.</summary>
public sealed class Outliers
{
    private readonly Outcomes outcomes = new();
    private int inRow;
    private long rowBegan;
    private int ejections;
    private long lastEnd;

    /// <summary>An attempt has ended.</summary>
    /// <returns>Whether it now stands out.</returns>
    public bool Tell(bool isGood, long now, PassiveHealth settings)
    {
        if (settings.ErrorPercent > 0) outcomes.Count(isGood, now, settings.Within);
        if (isGood)
        {
            if (Volatile.Read(ref inRow) != 0) Volatile.Write(ref inRow, 0);
            return false;
        }

        if (Volatile.Read(ref inRow) == 0 || now - Volatile.Read(ref rowBegan) > settings.Within)
        {
            Volatile.Write(ref inRow, 0);
            Volatile.Write(ref rowBegan, now);
        }

        return (Interlocked.Increment(ref inRow) >= settings.Failures && settings.Failures > 0) || HasTooManyErrors(settings);
    }

    /// <summary>In words, after <see cref="Tell"/> said so.</summary>
    public string Why(PassiveHealth settings, string failure)
    {
        if (settings.Failures > 0 && Volatile.Read(ref inRow) is var row && row >= settings.Failures) return $"{row} failures in a row, the last: {failure}";
        return $"{outcomes.Look().BadPercent}% of attempts failed, the last: {failure}";
    }

    /// <summary>How long the ejection that begins now lasts, in ms: twice as long as the one before, if that was lately.</summary>
    public long NextEjection(long now, PassiveHealth settings)
    {
        if (now - lastEnd > settings.MostEjectFor) ejections = 0;
        var span = Math.Min(settings.MostEjectFor, settings.EjectFor * (1L << Math.Min(ejections, 20)));
        ejections++;
        lastEnd = now + span;
        outcomes.Clear();
        return span;
    }

    /// <summary>An ejection is over: the next failure is one too many.</summary>
    public void EndEjection(long now, PassiveHealth settings)
    {
        Volatile.Write(ref rowBegan, now);
        Volatile.Write(ref inRow, Math.Max(0, settings.Failures - 1));
    }

    private bool HasTooManyErrors(PassiveHealth settings)
    {
        if (settings.ErrorPercent == 0) return false;
        var (count, percent) = outcomes.Look();
        return count >= settings.AtLeast && percent >= settings.ErrorPercent;
    }
}
