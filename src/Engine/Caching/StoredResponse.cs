// A response as it is kept: what its head says in one native block, its body beside it. It never changes: a validation that
// updates its fields makes another one, which shares the body.

using System.Runtime.InteropServices;
using Weir.Engine.Exchanges;
using Weir.Engine.Memory;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>A kept response. Counted: the index holds one reference, each reader another.</summary>
public sealed class StoredResponse : Retained
{
    private readonly NativeBlock block; // Slices of the fields, their lines, the variant's key.
    private readonly MemoryUse use;
    private readonly int fieldCount;
    private readonly int linesAt;
    private readonly int variantAt;
    private readonly bool hasOddNames;
    private int references = 1;
    private StoredResponse? other;
    private bool isOutdated;

    private StoredResponse(NativeBlock block, int fieldCount, int variantAt, bool hasOddNames, StoredBody body, MemoryUse use)
    {
        (this.block, this.fieldCount, this.variantAt, this.hasOddNames, this.use) = (block, fieldCount, variantAt, hasOddNames, use);
        linesAt = fieldCount * Marshal.SizeOf<FieldSlice>();
        Body = body;
        use.Take(block.Length + Overhead);
    }

    // What an entry costs beside its blocks, in bytes: objects, and its place in the index.
    private const int Overhead = 320;

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

    /// <summary>Bytes it holds in memory, its body's included.</summary>
    public override long Weight => block.Length + Overhead + Body.Taken;

    /// <summary>The key that tells it from others of the same object.</summary>
    public ReadOnlySpan<byte> Variant => block.Bytes[variantAt..];

    public ReadOnlySpan<byte> Extra => VariantKey.Extra(Variant);

    /// <summary>Whether it may answer a request, as far as what it varies on goes.</summary>
    public bool Selects(FieldBlock request) => VariantKey.Selects(Variant, request);

    /// <summary>Whether another one answers the same requests.</summary>
    public bool IsSameVariant(StoredResponse with) => Variant.SequenceEqual(with.Variant);

    /// <summary>Whose it is.</summary>
    public required OriginName From { get; init; }

    /// <summary>When it was received, in ms of the world's clock.</summary>
    public long StoredAt { get; init; }

    /// <summary>How old it was then, in s.</summary>
    public long InitialAge { get; init; }

    /// <summary>For how long it is fresh, in s.</summary>
    public long Lifetime { get; init; }

    /// <summary>Its fields as lines of a head.</summary>
    internal ReadOnlySpan<byte> Lines => block.Bytes[linesAt..variantAt];

    /// <summary>Tags it can be purged by, hashed.</summary>
    internal ulong[] Tags { get; set; } = [];

    /// <summary>Whether it was made stale before its time. Any thread.</summary>
    public bool IsOutdated
    {
        get => Volatile.Read(ref isOutdated);
        internal set => Volatile.Write(ref isOutdated, value);
    }

    public void Hold() => Interlocked.Increment(ref references);

    public void LetGo()
    {
        if (Interlocked.Decrement(ref references) > 0) return;
        use.GiveBack(block.Length + Overhead);
        block.Free();
        Body.LetGo();
    }

    /// <summary>Makes one of a response's fields as they are sent on. Takes over a reference to the body.</summary>
    public static StoredResponse Make(Response response, ReadOnlySpan<byte> variant, StoredBody body, MemoryUse use, OriginName from, long storedAt, long initialAge, long lifetime)
    {
        var fields = response.Fields;
        var (count, length) = Measure(fields);
        var lines = count * Marshal.SizeOf<FieldSlice>();
        var block = NativeBlock.Allocate(lines + length + variant.Length);
        var slices = MemoryMarshal.Cast<byte, FieldSlice>(block.Bytes[..lines]);
        var to = new SpanWriter(block.Bytes.Slice(lines, length));
        var n = 0;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (!fields.IsDropped(i)) slices[n++] = Write(ref to, fields.Index[i].Known, fields.Name(i), fields.Value(i));
        }

        foreach (ref readonly var field in fields.Added) slices[n++] = Write(ref to, field.Known, field.Name.Span, field.Value.Span);
        variant.CopyTo(block.Bytes[(lines + length)..]);
        return new StoredResponse(block, count, lines + length, fields.Index.HasOddNames, body, use) { Status = response.Status, From = from, StoredAt = storedAt, InitialAge = initialAge, Lifetime = lifetime };
    }

    /// <summary>Lays its fields out for an exchange.</summary>
    /// <returns>False where there is no room.</returns>
    public bool TryFill(Response response, FieldIndex index, Scratch scratch)
    {
        if (!scratch.TryCopy(block.Bytes[linesAt..variantAt], out var lines)) return false;
        index.Load(MemoryMarshal.Cast<byte, FieldSlice>(block.Bytes[..linesAt])[..fieldCount], hasOddNames);
        response.Fields.Reset(lines.Block, lines.Start, index);
        response.Status = Status;
        return true;
    }

    private static (int Count, int Length) Measure(FieldBlock fields)
    {
        var (count, length) = (0, 0);
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.IsDropped(i)) continue;
            count++;
            length += fields.Index[i].NameLength + fields.Index[i].ValueLength + 4;
        }

        foreach (ref readonly var field in fields.Added)
        {
            count++;
            length += field.Name.Length + field.Value.Length + 4;
        }

        return (count, length);
    }

    private static FieldSlice Write(ref SpanWriter to, KnownField known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var slice = new FieldSlice { Known = known, LineStart = to.Length, NameStart = to.Length, NameLength = (ushort)name.Length };
        to.Write(name);
        to.Write(": "u8);
        slice.ValueStart = to.Length;
        slice.ValueLength = value.Length;
        to.Write(value);
        to.Write("\r\n"u8);
        slice.LineEnd = to.Length;
        return slice;
    }
}
