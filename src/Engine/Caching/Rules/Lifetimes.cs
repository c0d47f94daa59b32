// How long a response is fresh, how old it was when it came, and who says so. RFC 9111 §4.2.1 to §4.2.3.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>What a lifetime comes from.</summary>
public enum LifetimeSource : byte
{
    /// <summary>Nothing says how long.</summary>
    None,
    SharedMaxAge,
    MaxAge,
    Expires,
    Heuristic,
    Status,
    Default,
    Override,
}

internal static class Lifetimes
{
    // RFC 9110 §15.1.
    private static readonly StatusSet Heuristic = new([(200, 200), (203, 204), (206, 206), (300, 301), (308, 308), (404, 405), (410, 410), (414, 414), (501, 501)]);

    // An error that nobody has spoken of is not kept for as long as a page.
    private static readonly StatusSet ByDefault = new([(200, 200), (203, 204), (206, 206), (300, 301), (308, 308)]);

    /// <summary>The response says itself how long; RFC 9111 §4.2.1.</summary>
    public static (LifetimeSource Source, long Seconds) Explicit(FieldBlock fields, in ResponseDirectives directives, DateTime received)
    {
        if (directives.Control.SharedMaxAge is { } shared) return (LifetimeSource.SharedMaxAge, shared);
        if (directives.Control.MaxAge is { } age) return (LifetimeSource.MaxAge, age);
        if (directives.IsTargeted || !fields.Index.Has(KnownField.Expires)) return default;
        return (LifetimeSource.Expires, Math.Clamp(Seconds(Expires(fields) - Date(fields, received)), 0, CacheControl.MostSeconds));
    }

    /// <summary>How long under an operator's rules.</summary>
    public static (LifetimeSource Source, long Seconds) Of(FieldBlock fields, int status, in ResponseDirectives directives, CacheRules rules, DateTime received)
    {
        var (source, seconds) = Explicit(fields, directives, received);
        if (source == LifetimeSource.None)
        {
            foreach (var one in rules.StatusLifetimes)
            {
                if (one.Statuses.Contains(status)) return (LifetimeSource.Status, one.Seconds);
            }

            (source, seconds) = Guessed(fields, status, directives, rules, received);
        }

        if (rules.OverrideLifetime is { } fixedly && (source != LifetimeSource.None || ByDefault.Contains(status))) return (LifetimeSource.Override, fixedly);
        if (source == LifetimeSource.None) return default;
        return (source, Math.Min(Math.Max(seconds, rules.LeastLifetime), rules.MostLifetime ?? long.MaxValue));
    }

    /// <summary>corrected_initial_age. A Date or Age that makes no sense says nothing (RFC 9110 §6.6.1, RFC 9111 §5.1).</summary>
    public static long InitialAge(FieldBlock fields, DateTime requested, DateTime received)
    {
        var apparent = Math.Max(0, Seconds(received - Date(fields, received)));
        var delay = Math.Max(0, Seconds(received - requested));
        return Math.Max(apparent, Age(fields) + delay);
    }

    public static bool IsHeuristic(int status) => Heuristic.Contains(status);

    private static (LifetimeSource Source, long Seconds) Guessed(FieldBlock fields, int status, in ResponseDirectives directives, CacheRules rules, DateTime received)
    {
        var isHeuristic = Heuristic.Contains(status) || directives.Control.Has(CacheDirectives.Public);
        if (rules.HeuristicPercent > 0 && isHeuristic && HttpDate.TryRead(First(fields, KnownField.LastModified), out var modified))
        {
            var age = Math.Max(0, Seconds(Date(fields, received) - modified));
            return (LifetimeSource.Heuristic, Math.Min(age / 100 * rules.HeuristicPercent, rules.HeuristicMost));
        }

        if (rules.DefaultLifetime is { } seconds && ByDefault.Contains(status)) return (LifetimeSource.Default, seconds);
        return default;
    }

    // The first member of the first line (RFC 9111 §5.1).
    private static long Age(FieldBlock fields)
    {
        foreach (var element in new ListElements(First(fields, KnownField.Age)))
        {
            if (element.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0) return 0;
            return Ascii.TryDecimal(element, out var age) ? Math.Min(age, CacheControl.MostSeconds) : CacheControl.MostSeconds;
        }

        return 0;
    }

    private static DateTime Date(FieldBlock fields, DateTime received) => HttpDate.TryRead(First(fields, KnownField.Date), out var date) ? date : received;

    // The earliest of several; what is no date, "0" above all, is past (RFC 9111 §5.3).
    private static DateTime Expires(FieldBlock fields)
    {
        var earliest = DateTime.MaxValue;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Expires) continue;
            if (!HttpDate.TryRead(fields.Value(i), out var date)) return DateTime.MinValue;
            if (date < earliest) earliest = date;
        }

        return earliest;
    }

    internal static ReadOnlySpan<byte> First(FieldBlock fields, KnownField field)
    {
        if (!fields.Index.Has(field)) return default;
        return fields.Value(fields.Index.IndexOf(field));
    }

    private static long Seconds(TimeSpan span) => (long)Math.Floor(span.TotalSeconds);
}
