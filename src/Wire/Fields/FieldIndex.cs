// Where the fields of a head lie in its bytes. Reused from message to message.

using Weir.Wire.Bytes;

namespace Weir.Wire.Fields;

/// <summary>One field line, as offsets into the head's bytes.</summary>
public struct FieldSlice
{
    public int LineStart;

    /// <summary>Behind the line's CRLF.</summary>
    public int LineEnd;
    public int NameStart;
    public int ValueStart;
    public int ValueLength;
    public ushort NameLength;
    public KnownField Known;
}

/// <summary>The field lines of one message, in their order.</summary>
public sealed class FieldIndex
{
    private FieldSlice[] slices = new FieldSlice[16];
    private ulong present0;
    private ulong present1;

    public int Count { get; private set; }

    /// <summary>Whether some name holds more than letters, digits and '-': it may look like another one to some server.</summary>
    public bool HasOddNames { get; private set; }

    public ref readonly FieldSlice this[int i] => ref slices[i];

    /// <summary>Whether a known field is there; one test.</summary>
    public bool Has(KnownField field) => (((int)field < 64 ? present0 >> (int)field : present1 >> ((int)field - 64)) & 1) != 0;

    /// <summary>Whether any field of a set is there; one test. Sets hold the known fields below 64.</summary>
    public bool HasAny(ulong set) => (present0 & set) != 0;

    /// <summary>A set for <see cref="HasAny"/>.</summary>
    public static ulong SetOf(params ReadOnlySpan<KnownField> fields)
    {
        var set = 0UL;
        foreach (var field in fields)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((int)field, 64);
            set |= 1UL << (int)field;
        }

        return set;
    }

    public void Clear()
    {
        Count = 0;
        HasOddNames = false;
        present0 = present1 = 0;
    }

    /// <summary>Becomes what another one is.</summary>
    public void CopyFrom(FieldIndex other)
    {
        if (slices.Length < other.Count) slices = new FieldSlice[other.slices.Length];
        other.slices.AsSpan(0, other.Count).CopyTo(slices);
        (Count, HasOddNames, present0, present1) = (other.Count, other.HasOddNames, other.present0, other.present1);
    }

    /// <summary>Becomes what these lines are.</summary>
    public void Load(ReadOnlySpan<FieldSlice> lines, bool hasOddNames)
    {
        if (slices.Length < lines.Length) slices = new FieldSlice[lines.Length];
        lines.CopyTo(slices);
        (Count, HasOddNames, present0, present1) = (lines.Length, hasOddNames, 0, 0);
        foreach (ref readonly var line in lines)
        {
            if ((int)line.Known < 64) present0 |= 1UL << (int)line.Known;
            else present1 |= 1UL << ((int)line.Known - 64);
        }
    }

    /// <summary>Adds a line, to be filled in.</summary>
    internal ref FieldSlice Add(KnownField known, bool isPlain)
    {
        if (Count == slices.Length) Array.Resize(ref slices, slices.Length * 2);
        if ((int)known < 64) present0 |= 1UL << (int)known;
        else present1 |= 1UL << ((int)known - 64);
        HasOddNames |= !isPlain;
        ref var slice = ref slices[Count++];
        slice.Known = known;
        return ref slice;
    }

    /// <summary>The first line of a known field, from <paramref name="from"/> on; -1: none.</summary>
    public int IndexOf(KnownField field, int from = 0)
    {
        for (var i = from; i < Count; i++)
        {
            if (slices[i].Known == field) return i;
        }

        return -1;
    }

    /// <summary>How many lines of a known field there are.</summary>
    public int CountOf(KnownField field)
    {
        if (!Has(field)) return 0;
        var n = 0;
        for (var i = 0; i < Count; i++)
        {
            if (slices[i].Known == field) n++;
        }

        return n;
    }

    /// <summary>The first line with this name, ignoring case; -1: none.</summary>
    public int IndexOf(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name, int from = 0)
    {
        for (var i = from; i < Count; i++)
        {
            ref readonly var slice = ref slices[i];
            if (slice.NameLength == name.Length && Ascii.EqualsIgnoreCase(head.Slice(slice.NameStart, slice.NameLength), name)) return i;
        }

        return -1;
    }

    public ReadOnlySpan<byte> Value(ReadOnlySpan<byte> head, int i) => head.Slice(slices[i].ValueStart, slices[i].ValueLength);
}
