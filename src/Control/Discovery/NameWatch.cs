// One name that is watched: what was found last, and how it goes now. What fails leaves the last good answer alone. Changed
// under the lock of its Names; any thread may read.

using System.Net;

namespace Weir.Control.Discovery;

/// <summary>What a name means at this moment.</summary>
public sealed record NameAnswer(IPAddress[] Addresses, ServiceRecord[] Services);

/// <summary>A watched name.</summary>
public sealed class NameWatch
{
    private const long FirstBackOff = 1_000;
    private const long MostBackOff = 30_000;

    private TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private NameAnswer? answer;
    private string? trouble;
    private long answeredAt;
    private int failures;

    internal NameWatch(NameKind kind, string name, ResolveSettings settings)
    {
        Kind = kind;
        Name = name;
        Settings = settings;
    }

    public NameKind Kind { get; }

    public string Name { get; }

    public ResolveSettings Settings { get; }

    /// <summary>The last good answer; null: there was none. The same object as long as it says the same.</summary>
    public NameAnswer? Answer => Volatile.Read(ref answer);

    /// <summary>Why the last lookup failed; null where it did not.</summary>
    public string? Trouble => Volatile.Read(ref trouble);

    /// <summary>When the last good answer came, in Unix ms; 0: never.</summary>
    public long AnsweredAt => Volatile.Read(ref answeredAt);

    /// <summary>Ends with the first lookup, or the first anew, whatever it brought.</summary>
    public Task First => first.Task;

    /// <summary>Who is called after each lookup.</summary>
    internal Dictionary<object, Action<NameWatch>> Listeners { get; } = [];

    /// <summary>When it is looked up again, on the clock of its <see cref="Names"/>.</summary>
    internal long DueAt { get; set; }

    internal bool IsAsking { get; set; }

    internal void BeginFirst() => first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    internal void EndFirst() => first.TrySetResult();

    /// <summary>Takes what a lookup brought.</summary>
    /// <param name="found">It.</param>
    /// <param name="now">The time of day, in Unix ms.</param>
    /// <param name="news">A line for the log, where something has changed that people should know.</param>
    /// <returns>In how many ms to look again.</returns>
    internal long Take(Lookup found, long now, out (bool IsGood, string Text)? news)
    {
        news = null;
        // A server that has gone silent on one family has not said that its addresses are gone.
        if (found.Outcome == LookupOutcome.Done && answer is not null && Array.Exists(answer.Addresses, a => a.AddressFamily == found.Missing)) found = Lookup.Nothing(LookupOutcome.Failed, "of one family of its addresses nothing could be learnt");
        var wasGood = trouble is null;
        if (found.Outcome != LookupOutcome.Done)
        {
            Volatile.Write(ref trouble, found.Trouble);
            if (wasGood) news = (false, answer is null ? $"the name '{Name}' cannot be resolved: {found.Trouble}" : $"the name '{Name}' cannot be resolved any more: {found.Trouble}; what is known of it is kept: {Count()}");
            return Math.Min(FirstBackOff << Math.Min(failures++, 10), MostBackOff);
        }

        // Servers turn their answers round: what is the same in another order stays as it was.
        if (answer is null || !Same(answer.Addresses, found.Addresses) || !Same(answer.Services, found.Services)) Volatile.Write(ref answer, new NameAnswer(found.Addresses, found.Services));
        Volatile.Write(ref answeredAt, now);
        Volatile.Write(ref trouble, null);
        failures = 0;
        if (!wasGood) news = (true, $"the name '{Name}' is resolved again: {Count()}");
        return Math.Clamp(found.Ttl, Settings.LeastTtl, Settings.MostTtl);
    }

    private string Count() => Kind == NameKind.Services ? Plural(answer!.Services.Length, "server", "servers") : Plural(answer!.Addresses.Length, "address", "addresses");

    private static string Plural(int n, string one, string many) => n == 1 ? $"1 {one}" : $"{n} {many}";

    private static bool Same<T>(T[] one, T[] other) => one.Length == other.Length && new HashSet<T>(one).SetEquals(other);
}
