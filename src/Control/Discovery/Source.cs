// Where some of an upstream's endpoints come from besides the configuration itself: a file, a name. It hands in its whole
// list at any time, from any thread, and replaces only its own part; while it fails, its last good list stays.

namespace Weir.Control.Discovery;

/// <summary>A source as a plan names it.</summary>
/// <param name="Name">What adopts it over reloads, and its label: "file PATH", "dns NAME", "srv NAME".</param>
/// <param name="Settings">What begins it anew where it changes; the last good list stays meanwhile.</param>
/// <param name="Begin">Begins to feed it; disposed when no plan names it any more.</param>
public sealed record SourcePlan(string Name, string Settings, Func<Source, IDisposable> Begin)
{
    /// <summary>What was found when the plan was compiled; null: nothing was asked.</summary>
    public IReadOnlyList<Member>? Initial { get; init; }
}

/// <summary>A live source of one membership. Any thread.</summary>
public sealed class Source
{
    private long failures;
    private long lastSuccess;
    private string? trouble;

    internal Source(Membership membership, SourcePlan plan)
    {
        (Of, Plan) = (membership, plan);
        Name = plan.Name;
    }

    /// <summary>Whose part it feeds.</summary>
    public Membership Of { get; }

    public string Name { get; }

    /// <summary>Times it failed since it began.</summary>
    public long Failures => Volatile.Read(ref failures);

    /// <summary>When its list was known to be right last, in Unix ms; 0: never.</summary>
    public long LastSuccess => Volatile.Read(ref lastSuccess);

    /// <summary>Why it failed last; null: it did not.</summary>
    public string? Trouble => Volatile.Read(ref trouble);

    /// <summary>Its last good list. The membership's lock.</summary>
    internal Member[] Members { get; set; } = [];

    internal SourcePlan Plan { get; set; }

    internal IDisposable? Feed { get; set; }

    /// <summary>Replaces its part of the upstream.</summary>
    /// <returns>False where it is refused, which is told: too many endpoints, or no plan names this source any more.</returns>
    public bool Succeeded(IReadOnlyList<Member> list) => Of.Take(this, list);

    /// <summary>Its list is as it was.</summary>
    public void Confirmed() => Volatile.Write(ref lastSuccess, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    /// <summary>It could not be asked; what it handed in last stays.</summary>
    public void Failed(string reason)
    {
        Interlocked.Increment(ref failures);
        if (Interlocked.Exchange(ref trouble, reason) != reason) Of.TellFailure(this, reason);
    }

    internal void Recovered()
    {
        var isFirst = LastSuccess == 0;
        Confirmed();
        if (Interlocked.Exchange(ref trouble, null) is not null) Of.TellRecovery(this, isFirst);
    }
}
