// The fields of one message: as they came (bytes and index, never changed) and what is to be changed about them when they
// are sent on (dropped lines, added lines). Order and case of what is kept survive.

using System.Numerics;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Exchanges;

/// <summary>A field to be added when the message is sent on.</summary>
public readonly record struct AddedField(KnownField Known, ByteRange Name, ByteRange Value);

/// <summary>Fields as received, with edits beside them. Reused; one exchange's own.</summary>
public sealed class FieldBlock
{
    private ulong[] dropped = new ulong[2];
    private AddedField[] added = new AddedField[8];
    private int addedCount;
    private byte[][][] withheld = new byte[2][][];
    private int withheldCount;

    /// <summary>The bytes the index points into.</summary>
    public byte[] Bytes { get; private set; } = [];

    /// <summary>Where offset 0 of the index lies in <see cref="Bytes"/>.</summary>
    public int Origin { get; private set; }

    /// <summary>The fields as received.</summary>
    public FieldIndex Index { get; private set; } = new();

    /// <summary>The fields to be added.</summary>
    public ReadOnlySpan<AddedField> Added => added.AsSpan(0, addedCount);

    /// <summary>Begins with what was received.</summary>
    public void Reset(byte[] bytes, int origin, FieldIndex index)
    {
        Bytes = bytes;
        Origin = origin;
        Index = index;
        addedCount = withheldCount = 0;
        var words = (index.Count + 63) >> 6;
        if (words > dropped.Length) dropped = new ulong[BitOperations.RoundUpToPowerOf2((uint)words)];
        else dropped.AsSpan().Clear();
    }

    /// <summary>
    /// Begins with a copy of what another block is sent on as, edits included; only what was said about trailers is left out.
    /// </summary>
    /// <param name="from">The other block.</param>
    /// <param name="index">Becomes this block's index.</param>
    /// <param name="scratch">Where the bytes are kept.</param>
    /// <returns>False where there is no room.</returns>
    public bool TryCopy(FieldBlock from, FieldIndex index, Scratch scratch)
    {
        index.CopyFrom(from.Index);
        var lines = index.Count == 0 ? 0 : index[index.Count - 1].LineEnd;
        if (!scratch.TryCopy(from.Bytes.AsSpan(from.Origin, lines), out var bytes)) return false;
        Reset(bytes.Block, bytes.Start, index);
        from.dropped.AsSpan(0, (index.Count + 63) >> 6).CopyTo(dropped);
        foreach (ref readonly var field in from.Added)
        {
            if (!scratch.TryCopy(field.Name.Span, out var name) || !scratch.TryCopy(field.Value.Span, out var value)) return false;
            Add(field.Known, name, value);
        }

        return true;
    }

    /// <summary>
    /// Goes on with a copy of what was received, edits and all: the block that it lies in is given back before its exchange ends.
    /// </summary>
    /// <returns>False where there is no room; nothing has changed then.</returns>
    public bool TryDetach(FieldIndex index, Scratch scratch)
    {
        var lines = Index.Count == 0 ? 0 : Index[Index.Count - 1].LineEnd;
        if (!scratch.TryCopy(Bytes.AsSpan(Origin, lines), out var bytes)) return false;
        for (var i = 0; i < addedCount; i++)
        {
            var (name, value) = (added[i].Name, added[i].Value);
            if (name.Block == Bytes && !scratch.TryCopy(name.Span, out name)) return false;
            if (value.Block == Bytes && !scratch.TryCopy(value.Span, out value)) return false;
            added[i] = new AddedField(added[i].Known, name, value);
        }

        index.CopyFrom(Index);
        (Bytes, Origin, Index) = (bytes.Block, bytes.Start, index);
        return true;
    }

    /// <summary>The name of a received field, as it was written.</summary>
    public ReadOnlySpan<byte> Name(int i)
    {
        ref readonly var field = ref Index[i];
        return Bytes.AsSpan(Origin + field.NameStart, field.NameLength);
    }

    /// <summary>The value of a received field, without the white space around it.</summary>
    public ReadOnlySpan<byte> Value(int i)
    {
        ref readonly var field = ref Index[i];
        return Bytes.AsSpan(Origin + field.ValueStart, field.ValueLength);
    }

    /// <summary>The same, as a range that lives as long as the head.</summary>
    public ByteRange Range(int i) => new(Bytes, Origin + Index[i].ValueStart, Index[i].ValueLength);

    /// <summary>The first received value of a field that is not dropped; empty when there is none.</summary>
    public ReadOnlySpan<byte> First(KnownField known)
    {
        if (!Index.Has(known)) return default;
        for (var i = 0; i < Index.Count; i++)
        {
            if (Index[i].Known == known && !IsDropped(i)) return Value(i);
        }

        return default;
    }

    /// <summary>The values of a field that are sent on, received or added.</summary>
    public SentValues Sent(KnownField known) => new(this, known);

    /// <summary>Whether a received field is not passed on.</summary>
    public bool IsDropped(int i) => (dropped[i >> 6] & (1UL << (i & 63))) != 0;

    /// <summary>Does not pass on one received line.</summary>
    public void Drop(int i) => dropped[i >> 6] |= 1UL << (i & 63);

    /// <summary>Does not pass on a field, received or added.</summary>
    public void Drop(KnownField known)
    {
        if (Index.Has(known)) DropReceived(known);
        if (addedCount > 0) DropAdded(known);
    }

    /// <summary>Does not pass on a field by name, received or added; '_' and '-' are the same here, as they are to many servers.</summary>
    public void Drop(KnownField known, ReadOnlySpan<byte> name)
    {
        if (known != KnownField.Other)
        {
            Drop(known);
            return;
        }

        for (var i = 0; i < Index.Count; i++)
        {
            if (Index[i].Known == KnownField.Other && Ascii.EqualsAsVariable(Name(i), name)) Drop(i);
        }

        for (var i = addedCount - 1; i >= 0; i--)
        {
            if (added[i].Known == KnownField.Other && Ascii.EqualsAsVariable(added[i].Name.Span, name)) RemoveAdded(i);
        }
    }

    /// <summary>Adds a line behind what is kept. Ranges must outlive the exchange's head.</summary>
    public void Add(KnownField known, ByteRange name, ByteRange value)
    {
        if (addedCount == added.Length) Array.Resize(ref added, added.Length * 2);
        added[addedCount++] = new AddedField(known, name, value);
    }

    /// <summary>Takes back one line that was added; those behind it move up.</summary>
    public void RemoveAdded(int i)
    {
        addedCount--;
        added.AsSpan(i + 1, addedCount - i).CopyTo(added.AsSpan(i));
    }

    /// <summary>Replaces every line of a field by one.</summary>
    public void Set(KnownField known, ByteRange name, ByteRange value)
    {
        Drop(known, name.Span);
        Add(known, name, value);
    }

    /// <summary>Names that may not come in behind the body either. The array must not change.</summary>
    public void Withhold(byte[][] names)
    {
        if (withheldCount == withheld.Length) Array.Resize(ref withheld, withheld.Length * 2);
        withheld[withheldCount++] = names;
    }

    /// <summary>Whether a name was given to <see cref="Withhold"/>.</summary>
    public bool Withholds(ReadOnlySpan<byte> name)
    {
        foreach (var names in withheld.AsSpan(0, withheldCount))
        {
            foreach (var one in names)
            {
                if (Ascii.EqualsAsVariable(one, name)) return true;
            }
        }

        return false;
    }

    private void DropReceived(KnownField known)
    {
        for (var i = 0; i < Index.Count; i++)
        {
            if (Index[i].Known == known) Drop(i);
        }
    }

    private void DropAdded(KnownField known)
    {
        for (var i = addedCount - 1; i >= 0; i--)
        {
            if (added[i].Known == known) RemoveAdded(i);
        }
    }
}

/// <summary>Enumerates what is sent on of one field, line by line.</summary>
public ref struct SentValues(FieldBlock fields, KnownField known)
{
    private int at = -1;

    public ReadOnlySpan<byte> Current { get; private set; }

    public readonly SentValues GetEnumerator() => this;

    public bool MoveNext()
    {
        var received = fields.Index.Has(known) ? fields.Index.Count : 0;
        if (received == 0 && at < 0) at = fields.Index.Count - 1;
        while (++at < fields.Index.Count)
        {
            if (fields.Index[at].Known != known || fields.IsDropped(at)) continue;
            Current = fields.Value(at);
            return true;
        }

        for (var i = at - fields.Index.Count; i < fields.Added.Length; i++)
        {
            if (fields.Added[i].Known != known) continue;
            at = fields.Index.Count + i;
            Current = fields.Added[i].Value.Span;
            return true;
        }

        return false;
    }
}
