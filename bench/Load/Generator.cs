// Drives clients against one port and says how it went. Closed loop: every client sends its next request when it has its
// answer. Open loop: requests are due at moments fixed beforehand (exponential gaps, the same for everybody), and each
// counts from the moment it was due, sent in time or not: a proxy that stalls cannot hide what it held up.

using System.Diagnostics;

namespace Weir.Bench.Load;

internal sealed unsafe class Generator
{
    private const long Second = 1_000_000_000;
    private const long Grace = 20 * Second;
    private const int MostErrors = 1000;
    private const int BinsPerSecond = 10;
    private const int BinsPerWindow = 10;

    private readonly Work work;
    private readonly Client[] clients;
    private readonly Queue<Client> idle;
    private Latencies latencies = new();
    private readonly Latencies failures = new();
    private byte[] head;
    private byte[] thenHead;
    private readonly Heads heads;
    private readonly (int Good, int All)[] bins;
    private readonly long turn;
    private readonly Random gaps = new(20260923);
    private readonly int epoll = Kernel.CreateEpoll();
    private readonly long started = Stopwatch.GetTimestamp();
    private readonly long until;
    private double nextDue;
    private long begun;
    private long done;
    private long errors;
    private long failed;
    private long first;
    private long reopened;
    private int busy;

    public Generator(Work work)
    {
        this.work = work;
        (head, thenHead, heads) = (work.Head, work.HeadFor("/then"), new Heads(work));
        var buffer = GC.AllocateArray<byte>(64 * 1024, pinned: true);
        clients = [.. Enumerable.Range(0, work.Connections).Select(i => new Client(i, work, buffer))];
        idle = new(clients);
        turn = started + (long)(work.Seconds * Second);
        until = work.Requests > 0 ? started + (600 * Second) : turn + (long)(work.ThenSeconds * Second);
        bins = new (int, int)[(int)Math.Ceiling(work.ThenSeconds * BinsPerSecond)];
        nextDue = started;
        Kernel.WaitPrecisely();
    }

    public long Done => done;

    public long Errors => errors;

    public long Bytes => clients.Sum(c => c.Bytes);

    /// <summary>Forgets what was counted; connections stay.</summary>
    public void Restart()
    {
        (latencies, done, errors, busy) = (new Latencies(), 0, 0, 0);
        idle.Clear();
    }

    /// <summary>Runs to the end; requests under way then are waited for.</summary>
    /// <returns>One line of JSON.</returns>
    public string Run()
    {
        var events = stackalloc byte[256 * 16];
        while (true)
        {
            var now = Stopwatch.GetTimestamp();
            var wait = BeginDue(now);
            if (busy == 0 && wait == long.MaxValue) break;
            if (now > until + Grace || (errors > MostErrors && !work.AnyStatus)) break;
            var n = Kernel.Wait(epoll, events, 256, Math.Clamp(wait, 0, Second / 10));
            for (var i = 0; i < n; i++)
            {
                var tag = Kernel.TagOf(events, i);
                var client = clients[(int)(uint)tag];
                if (!client.IsAt((uint)(tag >> 32))) continue;
                var wasBusy = client.State == ClientState.Busy;
                client.OnEvent(Kernel.EventsOf(events, i));
                if (wasBusy && client.State != ClientState.Busy) Finish(client);
            }
        }

        var seconds = (Stopwatch.GetTimestamp() - started) / (double)Second;
        var unsent = work.Rate > 0 ? Math.Max(0, (long)((until - nextDue) / Second * (work.ThenSeconds > 0 ? work.ThenRate : work.Rate))) : 0;
        var bytes = clients.Sum(c => c.Bytes);
        foreach (var client in clients) client.Drop();
        return FormattableString.Invariant(
            $$"""{"requests":{{done}},"bytes":{{bytes}},"seconds":{{seconds:F6}},"errors":{{errors + busy + unsent}},"reopened":{{Math.Max(0, reopened - clients.Length)}},"p50":{{Us(0.5)}},"p90":{{Us(0.9)}},"p99":{{Us(0.99)}},"p999":{{Us(0.999)}},"max":{{latencies.Most / 1000.0:F1}},"first":{{first}},"firstGood":{{done - failed - bins.Sum(b => b.Good)}},"failed":{{failed}},"failedP50":{{failures.At(0.5) / 1000.0:F1}},"failedP99":{{failures.At(0.99) / 1000.0:F1}},"recovery":{{Recovery:F1}},"handshakes":{{clients.Sum(c => c.Handshakes.All)}},"resumed":{{clients.Sum(c => c.Handshakes.Resumed)}},"ticketless":{{clients.Sum(c => c.Handshakes.Ticketless)}}}""");
    }

    /// <summary>Opens connections that each carry one request, and holds them until standard input ends.</summary>
    public static int Hold(Work work)
    {
        var generator = new Generator(work with { Requests = work.Connections });
        generator.RunOneEach(32, work.Head);
        Console.WriteLine(FormattableString.Invariant($$"""{"held":{{generator.done}},"errors":{{generator.errors}}}"""));
        Console.In.ReadToEnd();
        return generator.errors == 0 ? 0 : 1;
    }

    // How long until something is due; MaxValue: nothing will be any more.
    private long BeginDue(long now)
    {
        if (work.Rate <= 0)
        {
            if (now >= until || (work.Requests > 0 && begun >= work.Requests)) return long.MaxValue;
            while (idle.Count > 0 && (work.Requests == 0 || begun < work.Requests) && errors <= MostErrors) Begin(idle.Dequeue(), now);
            return Math.Max(until - now, 0);
        }

        while (nextDue <= now && nextDue < until && idle.Count > 0 && (errors <= MostErrors || work.AnyStatus))
        {
            Begin(idle.Dequeue(), (long)nextDue);
            nextDue += -Math.Log(1 - gaps.NextDouble()) / (nextDue < turn ? work.Rate : work.ThenRate) * Second;
        }

        if (nextDue >= until) return long.MaxValue;
        return idle.Count == 0 ? Second : Math.Max((long)nextDue - now, 0);
    }

    private void Begin(Client client, long due)
    {
        begun++;
        busy++;
        if (client.State == ClientState.Ended)
        {
            if (!work.Close) reopened++;
            if (!client.TryOpen(epoll, due))
            {
                Finish(client);
                return;
            }
        }

        var isFirst = due < turn;
        if (isFirst) first++;
        if (client.Begin(due, heads.AreMany ? heads.Next(client.Index) : isFirst ? head : thenHead) != ClientState.Busy) Finish(client);
    }

    private void Finish(Client client)
    {
        busy--;
        var isGood = client.State == ClientState.Done && client.IsGood;
        var bin = (int)((client.Due - turn) * BinsPerSecond / Second);
        if (client.Due >= turn && bin < bins.Length) bins[bin] = (bins[bin].Good + (isGood ? 1 : 0), bins[bin].All + 1);
        if (client.State == ClientState.Done)
        {
            done++;
            if (!isGood) failed++;
            (isGood ? latencies : failures).Add(Stopwatch.GetTimestamp() - client.Due);
            client.BecomeIdle();
        }
        else
        {
            errors++;
            client.Drop();
        }

        idle.Enqueue(client);
    }

    /// <summary>Each client asks once, so many at a time: few where they have to connect first, so that no queue of the proxy overflows.</summary>
    public void RunOneEach(int most, byte[] request, long due = 0)
    {
        var events = stackalloc byte[256 * 16];
        var next = 0;
        var deadline = Stopwatch.GetTimestamp() + (60 * Second);
        (head, thenHead) = (request, request);
        while ((next < clients.Length || busy > 0) && Stopwatch.GetTimestamp() < deadline && errors <= MostErrors)
        {
            while (next < clients.Length && busy < most) Begin(clients[next++], due > 0 ? due : Stopwatch.GetTimestamp());
            var n = Kernel.Wait(epoll, events, 256, Second / 10);
            for (var i = 0; i < n; i++)
            {
                var tag = Kernel.TagOf(events, i);
                var client = clients[(int)(uint)tag];
                if (!client.IsAt((uint)(tag >> 32))) continue;
                var wasBusy = client.State == ClientState.Busy;
                client.OnEvent(Kernel.EventsOf(events, i));
                if (wasBusy && client.State != ClientState.Busy) Finish(client);
            }
        }

        errors += busy + (clients.Length - next);
    }

    // Seconds from the turn until the last second in which fewer than 99 % went well is over; -1: it never is.
    private double Recovery
    {
        get
        {
            var last = 0;
            for (var i = 0; i + BinsPerWindow <= bins.Length; i++)
            {
                var window = bins.AsSpan(i, BinsPerWindow);
                var (good, all) = (0, 0);
                foreach (var bin in window) (good, all) = (good + bin.Good, all + bin.All);
                if (good < 0.99 * all) last = i + BinsPerWindow;
            }

            return last > 0 && last == bins.Length ? -1 : last / (double)BinsPerSecond;
        }
    }

    public string Us(double share) => FormattableString.Invariant($"{latencies.At(share) / 1000.0:F1}");
}
