// The names that are watched: one watch for all who ask for the same name in the same way. One timer says when the next is
// due; lookups run beside each other, only so many at once, and never on an engine's loop. Who listens is called one at a
// time, with no lock held.

namespace Weir.Control.Discovery;

/// <summary>Watches names. Any thread.</summary>
public sealed class Names : IDisposable
{
    /// <summary>Lookups at once.</summary>
    public const int MostLookups = 16;

    // What was found together is not asked for together for ever: up to this part of its time later.
    private const double Jitter = 0.1;

    private readonly Lock turn = new();
    private readonly Dictionary<string, NameWatch> watches = [];
    private readonly Queue<NameWatch> waiting = [];
    private readonly Queue<(NameWatch Watch, object Whom)> calls = [];
    private readonly CancellationTokenSource stopping = new();
    private readonly TimeProvider time;
    private readonly Func<NameKind, string, ResolveSettings, CancellationToken, Task<Lookup>> lookUp;
    private readonly Action<bool, string> say;
    private readonly ITimer timer;
    private readonly long[] outcomes = new long[Enum.GetValues<LookupOutcome>().Length];
    private int asking;
    private bool isCalling;
    private bool isStarted;
    private bool isStopped;

    /// <param name="say">Takes lines for the log: whether it is good news, and the line.</param>
    /// <param name="time">The clock; null: the system's.</param>
    /// <param name="lookUp">Looks one name up; null: <see cref="Lookup.RunAsync"/>.</param>
    public Names(Action<bool, string>? say = null, TimeProvider? time = null, Func<NameKind, string, ResolveSettings, CancellationToken, Task<Lookup>>? lookUp = null)
    {
        this.say = say ?? (static (_, _) => { });
        this.time = time ?? TimeProvider.System;
        this.lookUp = lookUp ?? Lookup.RunAsync;
        timer = this.time.CreateTimer(_ => Turn(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What is watched now.</summary>
    public NameWatch[] All
    {
        get
        {
            lock (turn) return [.. watches.Values];
        }
    }

    private long Now => (long)time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>Lookups so far, by how they ended.</summary>
    public long Count(LookupOutcome outcome) => Volatile.Read(ref outcomes[(int)outcome]);

    /// <summary>
    /// The watch of a name. Its first lookup begins at once; later ones once this has been started. One to which nobody listens
    /// when it is due is forgotten.
    /// </summary>
    /// <param name="kind">What is looked up.</param>
    /// <param name="name">Its name.</param>
    /// <param name="settings">How.</param>
    /// <param name="isAnew">Whether one of which nothing is known is looked up at once, whenever it is due.</param>
    public NameWatch Watch(NameKind kind, string name, ResolveSettings settings, bool isAnew = false)
    {
        name = name.ToLowerInvariant();
        var key = Key(kind, name, settings);
        lock (turn)
        {
            if (watches.TryGetValue(key, out var watch))
            {
                if (isAnew && watch.Answer is null && !watch.IsAsking && !isStopped)
                {
                    watch.BeginFirst();
                    Enqueue(watch);
                }

                return watch;
            }

            watches[key] = watch = new NameWatch(kind, name, settings);
            if (isStopped) watch.EndFirst();
            else Enqueue(watch);
            return watch;
        }
    }

    /// <summary>Waits for first lookups; not for ever where there are more than can be done in time.</summary>
    public static void Await(IReadOnlyCollection<NameWatch> watches)
    {
        if (watches.Count > 0) Task.WaitAll([.. watches.Select(static w => w.First)], TimeSpan.FromMilliseconds(watches.Max(static w => w.Settings.Timeout) * 3));
    }

    /// <summary>Calls after each lookup that ends from now on, and once for what is known already.</summary>
    /// <param name="kind">What is looked up.</param>
    /// <param name="name">Its name.</param>
    /// <param name="settings">How.</param>
    /// <param name="call">Short, and never throws. Calls of one <see cref="Names"/> never run beside each other.</param>
    /// <returns>What ends it; one more call may come then.</returns>
    public NameSubscription Subscribe(NameKind kind, string name, ResolveSettings settings, Action<NameWatch> call)
    {
        lock (turn)
        {
            var subscription = new NameSubscription(this, Watch(kind, name, settings));
            subscription.Watch.Listeners[subscription] = call;
            Poke(subscription);
            return subscription;
        }
    }

    /// <summary>Calls once more with what is known.</summary>
    internal void Poke(NameSubscription subscription)
    {
        lock (turn)
        {
            if (subscription.Watch.First.IsCompleted) Call(subscription.Watch, subscription);
        }
    }

    internal void Unsubscribe(NameSubscription subscription)
    {
        lock (turn) subscription.Watch.Listeners.Remove(subscription);
    }

    /// <summary>Begins to look again what is over.</summary>
    public void Start()
    {
        lock (turn)
        {
            isStarted = true;
            Arm();
        }
    }

    /// <summary>Ends; what is being looked up is forgotten.</summary>
    public void Dispose()
    {
        lock (turn)
        {
            if (isStopped) return;
            isStopped = true;
            waiting.Clear();
            calls.Clear();
            foreach (var watch in watches.Values) watch.EndFirst();
        }

        timer.Dispose();
        stopping.Cancel();
        stopping.Dispose();
    }

    private static string Key(NameKind kind, string name, ResolveSettings settings) => $"{kind} {name} {settings.Key}";

    private void Turn()
    {
        lock (turn)
        {
            if (isStopped) return;
            var now = Now;
            foreach (var watch in watches.Values.Where(w => !w.IsAsking && w.DueAt <= now).ToArray())
            {
                if (watch.Listeners.Count > 0) Enqueue(watch);
                else watches.Remove(Key(watch.Kind, watch.Name, watch.Settings));
            }

            Arm();
        }
    }

    private void Enqueue(NameWatch watch)
    {
        watch.IsAsking = true;
        if (asking >= MostLookups)
        {
            waiting.Enqueue(watch);
            return;
        }

        asking++;
        var stop = stopping.Token;
        _ = Task.Run(() => LookUpAsync(watch, stop));
    }

    private async Task LookUpAsync(NameWatch? watch, CancellationToken stop)
    {
        while (watch is not null)
        {
            var found = await FindAsync(watch, stop).ConfigureAwait(false);
            if (found is null) return;
            Interlocked.Increment(ref outcomes[(int)found.Outcome]);
            (bool IsGood, string Text)? news;
            lock (turn)
            {
                if (isStopped) return;
                var again = watch.Take(found, time.GetUtcNow().ToUnixTimeMilliseconds(), out news);
                watch.DueAt = Now + again + (long)(again * Jitter * Random.Shared.NextDouble());
                watch.IsAsking = false;
                foreach (var whom in watch.Listeners.Keys) Call(watch, whom);
                watch.EndFirst();
                if (news is { } line) say(line.IsGood, line.Text);
                if (!waiting.TryDequeue(out watch)) asking--;
                Arm();
            }
        }
    }

    private async Task<Lookup?> FindAsync(NameWatch watch, CancellationToken stop)
    {
        try
        {
            return await lookUp(watch.Kind, watch.Name, watch.Settings, stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return null;
        }
#pragma warning disable CA1031 // A mistake of ours may not end the watch: the answer known stays.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            return Lookup.Nothing(LookupOutcome.Failed, $"a mistake of ours: {bug.Message}");
        }
    }

    private void Arm()
    {
        if (!isStarted || watches.Values.Where(static w => !w.IsAsking).Select(static w => (long?)w.DueAt).Min() is not { } next) return;
        timer.Change(TimeSpan.FromMilliseconds(Math.Max(0, next - Now)), Timeout.InfiniteTimeSpan);
    }

    private void Call(NameWatch watch, object whom)
    {
        calls.Enqueue((watch, whom));
        if (isCalling) return;
        isCalling = true;
        _ = Task.Run(RunCalls);
    }

    private void RunCalls()
    {
        while (true)
        {
            NameWatch watch;
            Action<NameWatch>? call;
            lock (turn)
            {
                if (!calls.TryDequeue(out var next))
                {
                    isCalling = false;
                    return;
                }

                (watch, call) = (next.Watch, next.Watch.Listeners.GetValueOrDefault(next.Whom));
            }

            try
            {
                call?.Invoke(watch);
            }
#pragma warning disable CA1031 // A mistake of ours may not end the calls of others.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                say(false, $"a mistake of ours: {bug}");
            }
        }
    }
}

/// <summary>Somebody listens to a name.</summary>
public sealed class NameSubscription : IDisposable
{
    private readonly Names names;

    internal NameSubscription(Names names, NameWatch watch) => (this.names, Watch) = (names, watch);

    public NameWatch Watch { get; }

    /// <summary>Asks to be called once more.</summary>
    public void Poke() => names.Poke(this);

    public void Dispose() => names.Unsubscribe(this);
}
