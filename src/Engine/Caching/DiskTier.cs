// The disk behind a cache's memory: responses that are whole are written there as well, and what is not in memory is looked for
// there before the origin is asked. Under a URL and its extra key stands the response, or by what its responses vary; then each
// variant stands under its own key.

using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Hashing;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Caching.Disk;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Bytes;

namespace Weir.Engine.Caching;

/// <summary>What is kept on disk. Any thread.</summary>
public sealed class DiskTier
{
    // Beyond what anybody may be given it, what can be validated is worth keeping for a while.
    private const long ValidatedFor = 7 * 24 * 3600;

    // How long (ms) an answer waits until what it changes is on record.
    private const long MostRecording = 1_000;

    private const byte OfResponse = 1, OfVariants = 2;
    private const int FixedHead = 1 + 2 + 8 + 8 + 8 + 8 + 8 + 1 + 1 + 2 + 2 + 2 + 2;

    // What a note is of: a URL's mark, or a purge.
    private const byte OfUrl = 1, OfPrefix = 2, OfExpression = 3, OfTag = 4, OfAll = 5;

    private readonly DiskStore store;
    private readonly Lock door = new();
    private readonly ConcurrentDictionary<long, bool> doomed = []; // Changed under the door. Whether a sweep has it: false, it waits for one.
    private readonly ConcurrentQueue<long> waiting = [];
    private readonly ConcurrentQueue<PurgeTarget> purges = [];
    private readonly List<PurgeTarget> standing = []; // Under the door: purges that are not through.
    private int isSweeping;
    private int purging;

    /// <summary>Begins to use a store; what an earlier process was told to purge there and had not done is purged.</summary>
    public DiskTier(DiskStore store)
    {
        this.store = store;
        foreach (var note in store.InheritedNotes)
        {
            if (note is [OfUrl, .. { Length: 8 }]) Doom(BinaryPrimitives.ReadInt64LittleEndian(note.AsSpan(1)));
            else Stand(TargetOf(note));
        }

        PurgeNext();
        SweepNext();
    }

    public DiskStore Store => store;

    /// <summary>The key that a URL and its extra part stand under; with a variant's own part behind it.</summary>
    internal static byte[] KeyOf(ReadOnlySpan<byte> url, ReadOnlySpan<byte> extra, ReadOnlySpan<byte> names = default, ReadOnlySpan<byte> vary = default)
    {
        var isVariant = !names.IsEmpty;
        var key = new byte[url.Length + 1 + extra.Length + (isVariant ? names.Length + vary.Length + 2 : 0)];
        var to = new SpanWriter(key);
        to.Write(url);
        to.Write(0);
        to.Write(extra);
        if (!isVariant) return key;
        to.Write(0);
        to.Write(names);
        to.Write(0);
        to.Write(vary);
        return key;
    }

    internal static UInt128 HashOf(ReadOnlySpan<byte> key) => XxHash128.HashToUInt128(key);

    /// <summary>Whether there may be something of a URL. Asks no disk.</summary>
    internal bool MayHave(ReadOnlySpan<byte> url, ReadOnlySpan<byte> extra) => Counts(url) && store.MayHave(HashOf(KeyOf(url, extra)));

    /// <summary>Whether what is read of a URL counts: nobody said meanwhile that it changed.</summary>
    internal bool Counts(ReadOnlySpan<byte> url) => purges.IsEmpty && !doomed.ContainsKey(Mark(url));

    /// <summary>Whether files of what was purged may be there still: nobody is given them, but a process that is killed would find them again.</summary>
    public bool IsPurging => !purges.IsEmpty || !doomed.IsEmpty || !store.Sweeps.IsEmpty || store.HasNotes;

    /// <summary>Waits until a process that is killed would know of all that was purged so far; for a moment, where the disk does not get to it.</summary>
    internal async LoopTask RecordedAsync(Exchange exchange)
    {
        if (store.WriteNotes(exchange.Loop) is not { } noted) return;
        if (await exchange.Flow.FirstOf(noted.Done, exchange.Deadline(MostRecording)) != Wake.First) noted.Abandon();
    }

    /// <summary>From now on until <see cref="EndPurge"/> what is in memory is being taken out, or made stale.</summary>
    internal void BeginPurge() => Interlocked.Increment(ref purging);

    internal void EndPurge() => Interlocked.Decrement(ref purging);

    /// <summary>Removes one response.</summary>
    internal void Remove(StoredResponse response, ReadOnlySpan<byte> url)
    {
        var key = response.Vary.IsNone ? KeyOf(url, response.Extra) : KeyOf(url, response.Extra, Encoding.ASCII.GetBytes(response.Vary.Names), response.VaryKey);
        store.Remove(null, HashOf(key));
    }

    /// <summary>Writes a response that is kept and whole, behind whoever is served.</summary>
    internal void Write(StoredResponse response, ReadOnlySpan<byte> url)
    {
        if (!response.Body.IsWhole || !IsCurrent(response)) return;
        Begin(response, url);

        // A purge that had looked at the disk before this began, and at the memory after, is seen here or there.
        if (!IsCurrent(response)) Remove(response, url);
    }

    private bool IsCurrent(StoredResponse response) => Volatile.Read(ref purging) == 0 && response is { IsKept: true, IsStale: false };

    private void Begin(StoredResponse response, ReadOnlySpan<byte> url)
    {
        var facts = new DiskFacts(Expiry(response.Times), Seconds(response.Times.Received), Mark(url));
        var names = response.Vary.IsNone ? [] : Encoding.ASCII.GetBytes(response.Vary.Names);
        var first = KeyOf(url, response.Extra);
        if (names.Length > 0)
        {
            if (!store.TryStore(null, HashOf(first), first, [OfVariants, .. names], facts, Nothing.Instance)) return;
            first = KeyOf(url, response.Extra, names, response.VaryKey);
        }

        response.Hold();
        store.TryStore(null, HashOf(first), first, Head(response, names), facts, new Content(response));
    }

    /// <summary>What a head says the responses of its URL vary by; null: it is a response's own.</summary>
    internal static VaryRule? VariantsOf(ReadOnlySpan<byte> head) => head.Length > 1 && head[0] == OfVariants ? VaryRule.Of(head[1..]) : null;

    /// <summary>Makes a response of a head that was read; null: it is not one of ours. Takes over a reference to the body.</summary>
    internal static StoredResponse? Read(ReadOnlySpan<byte> head, ReadOnlySpan<byte> extra, StoredBody body, MemoryUse use)
    {
        if (head.Length < FixedHead || head[0] != OfResponse) return null;
        var at = new Cursor(head[1..]);
        var status = at.Short();
        var times = new StoredTimes(new DateTime(at.Long(), DateTimeKind.Utc), at.Long(), at.Long(), at.Long(), at.Long(), (StoredTraits)at.Byte());
        var isSecure = at.Byte() != 0;
        var (authority, prefix, names, vary) = (at.Short(), at.Short(), at.Short(), at.Short());
        if (at.Rest.Length < authority + prefix + names + vary) return null;
        var from = new OriginName(at.Take(authority).ToArray(), isSecure, at.Take(prefix).ToArray());
        var rule = names == 0 ? VaryRule.None : VaryRule.Of(at.Take(names));
        var varyKey = at.Take(vary);
        var response = StoredResponse.Make(status, at.Rest, extra, rule, varyKey, from, body, use);
        response.Times = times;
        return response;
    }

    // The lines of a head that was read.
    private static ReadOnlySpan<byte> LinesOf(ReadOnlySpan<byte> head)
    {
        if (head.Length < FixedHead || head[0] != OfResponse) return default;
        var at = new Cursor(head[(FixedHead - 8)..]);
        var before = at.Short() + at.Short() + at.Short() + at.Short();
        return at.Rest.Length < before ? default : at.Rest[before..];
    }

    /// <summary>All that is kept of a URL is out of date. At once as far as reading goes, in the background as the disk goes.</summary>
    internal void Invalidate(ReadOnlySpan<byte> url)
    {
        var mark = Mark(url);
        Doom(mark);
        store.Note(NoteOf(mark));
        SweepNext();
    }

    /// <summary>Removes what a purge is of; the store does so in the background, and gives out none of it from now on.</summary>
    internal void Remove(PurgeTarget target)
    {
        Stand(target);
        store.Note(NoteOf(target));
        PurgeNext();
    }

    private void Doom(long mark)
    {
        lock (door)
        {
            // A sweep that has it already passes by what was written since: once more then.
            var isWaiting = doomed.TryGetValue(mark, out var isTaken) && !isTaken;
            doomed[mark] = false;
            if (!isWaiting) waiting.Enqueue(mark);
        }
    }

    private void Stand(PurgeTarget target)
    {
        lock (door) standing.Add(target);
        purges.Enqueue(target);
    }

    // Where too many are under way some wait, and nothing is read meanwhile.
    private void PurgeNext()
    {
        lock (purges)
        {
            while (purges.TryPeek(out var target) && store.TrySweep(new TargetSweep(this, target))) purges.TryDequeue(out _);
        }
    }

    private void SweepNext()
    {
        if (waiting.IsEmpty || Interlocked.Exchange(ref isSweeping, 1) != 0) return;
        var marks = new HashSet<long>();
        lock (door)
        {
            while (waiting.TryDequeue(out var mark))
            {
                marks.Add(mark);
                doomed[mark] = true;
            }
        }

        if (marks.Count > 0 && store.TrySweep(new UrlSweep(this, marks))) return;
        lock (door)
        {
            foreach (var mark in marks)
            {
                if (doomed[mark]) waiting.Enqueue(mark); // When another sweep ends. Until then they are not read.
                doomed[mark] = false;
            }
        }

        Volatile.Write(ref isSweeping, 0);
    }

    private void Ended(HashSet<long> marks, bool isThrough)
    {
        lock (door)
        {
            foreach (var mark in marks) doomed.TryRemove(new KeyValuePair<long, bool>(mark, true)); // Not where it waits once more.
        }

        if (isThrough) store.TidyNotes(UnderWay);
        Volatile.Write(ref isSweeping, 0);
        SweepNext();
    }

    // What no kill must lose.
    private List<byte[]> UnderWay()
    {
        lock (door) return [.. doomed.Keys.Select(NoteOf), .. standing.Select(NoteOf)];
    }

    private static byte[] NoteOf(long mark)
    {
        var note = new byte[9];
        note[0] = OfUrl;
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(1), mark);
        return note;
    }

    // One that is too long is all: more than it says.
    private static byte[] NoteOf(PurgeTarget target)
    {
        var (kind, text) = target switch
        {
            { Prefix: { } prefix } => (OfPrefix, prefix),
            { Expression: { } expression } => (OfExpression, expression.ToString()),
            { Tag: { } tag } => (OfTag, tag),
            _ => (OfAll, ""),
        };
        byte[] note = [kind, .. Encoding.UTF8.GetBytes(text)];
        return note.Length <= SweepLog.MostNote ? note : [OfAll];
    }

    private static PurgeTarget TargetOf(byte[] note)
    {
        var text = note.Length > 1 ? Encoding.UTF8.GetString(note.AsSpan(1)) : "";
        return note is [OfPrefix, ..] ? new PurgeTarget { Prefix = text }
            : note is [OfExpression, ..] && TryExpression(text) is { } expression ? new PurgeTarget { Expression = expression }
            : note is [OfTag, ..] ? new PurgeTarget { Tag = text }
            : new PurgeTarget { All = true };
    }

    private static Regex? TryExpression(string text)
    {
        try
        {
            return PurgeTarget.ExpressionOf(text);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null; // Of another version, which knew more of them.
        }
    }

    private static byte[] Head(StoredResponse response, ReadOnlySpan<byte> names)
    {
        var (from, times) = (response.From, response.Times);
        var head = new byte[FixedHead + from.Authority.Length + from.PathPrefix.Length + names.Length + response.VaryKey.Length + response.Lines.Length];
        var to = new SpanWriter(head);
        to.Write(OfResponse);
        Short(ref to, response.Status);
        Long(ref to, times.Received.Ticks);
        Long(ref to, times.InitialAge);
        Long(ref to, times.Lifetime);
        Long(ref to, times.StaleWhileRevalidate);
        Long(ref to, times.StaleIfError);
        to.Write((byte)times.Traits);
        to.Write((byte)(from.IsSecure ? 1 : 0));
        Short(ref to, from.Authority.Length);
        Short(ref to, from.PathPrefix.Length);
        Short(ref to, names.Length);
        Short(ref to, response.VaryKey.Length);
        to.Write(from.Authority);
        to.Write(from.PathPrefix);
        to.Write(names);
        to.Write(response.VaryKey);
        to.Write(response.Lines);
        return head;
    }

    private static void Short(ref SpanWriter to, int value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to.Free, (ushort)value);
        to.Advance(2);
    }

    private static void Long(ref SpanWriter to, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(to.Free, value);
        to.Advance(8);
    }

    private static long Expiry(in StoredTimes times) => Seconds(times.UsefulUntil) + (times.Has(StoredTraits.HasValidator) ? ValidatedFor : 0);

    private static long Seconds(DateTime time) => (time - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerSecond;

    // Of all that is kept of a URL; two URLs with one mark lose each other's.
    private static long Mark(ReadOnlySpan<byte> url) => (long)XxHash3.HashToUInt64(url);

    private ref struct Cursor(ReadOnlySpan<byte> bytes)
    {
        public ReadOnlySpan<byte> Rest { get; private set; } = bytes;

        public ReadOnlySpan<byte> Take(int count)
        {
            var taken = Rest[..count];
            Rest = Rest[count..];
            return taken;
        }

        public byte Byte() => Take(1)[0];

        public int Short() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

        public long Long() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));
    }

    private sealed class UrlSweep(DiskTier tier, HashSet<long> marks) : DiskSweep
    {
        public override bool NeedsHead => false;

        public override bool MayMatch(UInt128 hash, in DiskFacts facts) => marks.Contains(facts.Mark);

        protected override void End() => tier.Ended(marks, IsThrough);
    }

    private sealed class TargetSweep(DiskTier tier, PurgeTarget target) : DiskSweep
    {
        public override bool NeedsHead => !target.All;

        public override bool Matches(UInt128 hash, in DiskFacts facts, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head)
        {
            if (target.Tag is null) return Purge.Matches(target, key[..Math.Max(0, key.IndexOf((byte)0))]);
            return Array.IndexOf(TagIndex.Read(LinesOf(head)), TagIndex.HashOf(Encoding.UTF8.GetBytes(target.Tag))) >= 0;
        }

        protected override void End()
        {
            lock (tier.door) tier.standing.Remove(target);
            if (IsThrough) tier.store.TidyNotes(tier.UnderWay);
            tier.PurgeNext();
            tier.SweepNext();
        }
    }

    private sealed class Content(StoredResponse response) : DiskContent
    {
        public override long Length => response.Body.Written;

        public override ReadOnlySpan<byte> PieceAt(long offset) => response.Body.From(offset, long.MaxValue);

        public override void LetGo() => response.LetGo();
    }

    private sealed class Nothing : DiskContent
    {
        public static readonly Nothing Instance = new();

        public override long Length => 0;

        public override ReadOnlySpan<byte> PieceAt(long offset) => default;

        public override void LetGo()
        {
        }
    }
}
