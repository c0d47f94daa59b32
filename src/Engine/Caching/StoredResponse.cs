// A response as it is kept: what its head says in one native block, its body beside it. What it says never changes: a validation
// that updates its fields makes another one, which shares the body.

using System.Runtime.InteropServices;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Memory;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>A kept response. Counted: the index holds one reference, each reader another.</summary>
public sealed class StoredResponse : Retained
{
    // What an entry costs beside its blocks, in bytes: objects, and its place in the index.
    private const int Overhead = 360;

    private readonly NativeBlock block; // Slices of the fields, their lines, the extra key, the key of what it varies on.
    private readonly MemoryUse use;
    private readonly int fieldCount;
    private readonly int linesAt;
    private readonly int extraAt;
    private readonly int varyAt;
    private int references = 1;
    private StoredResponse? other;
    private long standsInUntil;
    private volatile bool isStale;

    private StoredResponse(NativeBlock block, int fieldCount, int extraAt, int varyAt, StoredBody body, MemoryUse use)
    {
        (this.block, this.fieldCount, this.extraAt, this.varyAt, this.use) = (block, fieldCount, extraAt, varyAt, use);
        linesAt = fieldCount * Marshal.SizeOf<FieldSlice>();
        Body = body;
        use.Take(block.Length + Overhead);
    }

    public StoredBody Body { get; }

    /// <summary>Where it is kept; null: it is not, or no longer. Under its shard's lock, as the link to the next of its kind.</summary>
    internal CachedObject? Place { get; set; }

    internal StoredResponse? Other
    {
        get => other;
        set => other = value;
    }

    internal ref StoredResponse? OtherPlace => ref other;

    /// <summary>Who holds it. Any thread.</summary>
    internal int References => Volatile.Read(ref references);

    public required int Status { get; init; }

    /// <summary>Whose it is.</summary>
    public required OriginName From { get; init; }

    /// <summary>By what it varies.</summary>
    public required VaryRule Vary { get; init; }

    /// <summary>How old it is, and until when it is what. Set before it is kept.</summary>
    public StoredTimes Times { get; set; }

    public override bool IsKept => Place is not null;

    /// <summary>Bytes it holds in memory, its body's included.</summary>
    public override long Weight => block.Length + Overhead + Body.Taken;

    /// <summary>The part of the key that tells it from others of the same URL.</summary>
    public ReadOnlySpan<byte> Extra => block.Bytes[extraAt..varyAt];

    /// <summary>What the request it answers says about that by which it varies.</summary>
    public ReadOnlySpan<byte> VaryKey => block.Bytes[varyAt..];

    /// <summary>Its fields, as lines.</summary>
    public ReadOnlySpan<byte> Lines => block.Bytes[linesAt..extraAt];

    /// <summary>Whether it may answer a request, as far as what it varies on goes.</summary>
    public bool Selects(FieldBlock request) => Vary.IsNone || Vary.Matches(request, VaryKey);

    /// <summary>Whether another one answers the same requests.</summary>
    public bool IsSameVariant(StoredResponse with) => Vary.Equals(with.Vary) && VaryKey.SequenceEqual(with.VaryKey) && Extra.SequenceEqual(with.Extra);

    /// <summary>Whether it is not to be used without having been validated any more: somebody said so. Any thread.</summary>
    public bool IsStale
    {
        get => isStale;
        set => isStale = value;
    }

    /// <summary>Its times as they count now: what was made stale is.</summary>
    internal StoredTimes TimesAt(DateTime now) => IsStale ? Times.Expired(now) : Times;

    /// <summary>The moment (ticks) until which it stands in for its origin, which failed a moment ago. Any thread.</summary>
    public long StandsInUntil
    {
        get => Volatile.Read(ref standsInUntil);
        set => Volatile.Write(ref standsInUntil, value);
    }

    /// <summary>Tags it can be purged by, hashed. Set before it is kept.</summary>
    internal ulong[] Tags { get; set; } = [];

    public void Hold() => Interlocked.Increment(ref references);

    public void LetGo()
    {
        if (Interlocked.Decrement(ref references) > 0)
        {
            Body.Pass(); // The fill of a window looks who is left.
            return;
        }

        use.GiveBack(block.Length + Overhead);
        block.Free();
        Body.LetGo();
    }

    /// <summary>Makes one of stored lines. Takes over a reference to the body.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="lines">Its fields; those that frame a body are left out.</param>
    /// <param name="extra">The extra part of its key.</param>
    /// <param name="vary">By what it varies.</param>
    /// <param name="varyKey">The key of the request it answers.</param>
    /// <param name="from">Whose it is.</param>
    /// <param name="body">Its body.</param>
    /// <param name="use">Where its memory is counted.</param>
    public static StoredResponse Make(int status, ReadOnlySpan<byte> lines, ReadOnlySpan<byte> extra, VaryRule vary, ReadOnlySpan<byte> varyKey, OriginName from, StoredBody body, MemoryUse use)
    {
        var (count, length) = Measure(lines);
        var linesAt = count * Marshal.SizeOf<FieldSlice>();
        var extraAt = linesAt + length;
        var varyAt = extraAt + extra.Length;
        var block = NativeBlock.Allocate(varyAt + varyKey.Length);
        Write(lines, MemoryMarshal.Cast<byte, FieldSlice>(block.Bytes[..linesAt]), block.Bytes[linesAt..extraAt]);
        extra.CopyTo(block.Bytes[extraAt..]);
        varyKey.CopyTo(block.Bytes[varyAt..]);
        return new StoredResponse(block, count, extraAt, varyAt, body, use) { Status = status, From = from, Vary = vary };
    }

    /// <summary>Lays its fields out for an exchange.</summary>
    /// <returns>False where there is no room.</returns>
    public bool TryFill(Response response, FieldIndex index, Scratch scratch)
    {
        if (!scratch.TryCopy(Lines, out var lines)) return false;
        index.Load(MemoryMarshal.Cast<byte, FieldSlice>(block.Bytes[..linesAt])[..fieldCount], hasOddNames: true);
        response.Fields.Reset(lines.Block, lines.Start, index);
        response.Status = Status;
        return true;
    }

    private static (int Count, int Length) Measure(ReadOnlySpan<byte> lines)
    {
        var (count, length) = (0, 0);
        foreach (var line in new StoredLines(lines))
        {
            if (KnownFields.Lookup(line.Name) == KnownField.ContentLength) continue;
            count++;
            length += line.Name.Length + line.Value.Length + 4;
        }

        return (count, length);
    }

    private static void Write(ReadOnlySpan<byte> lines, Span<FieldSlice> slices, Span<byte> into)
    {
        var to = new SpanWriter(into);
        var n = 0;
        foreach (var line in new StoredLines(lines))
        {
            var known = KnownFields.Lookup(line.Name);
            if (known == KnownField.ContentLength) continue;
            ref var slice = ref slices[n++];
            slice = new FieldSlice { Known = known, LineStart = to.Length, NameStart = to.Length, NameLength = (ushort)line.Name.Length, ValueLength = line.Value.Length };
            to.Write(line.Name);
            to.Write(": "u8);
            slice.ValueStart = to.Length;
            to.Write(line.Value);
            to.Write("\r\n"u8);
            slice.LineEnd = to.Length;
        }
    }
}
