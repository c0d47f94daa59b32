// Elements of a comma-separated field value, aware of quoted strings; empty elements are skipped. RFC 9110 §5.6.1.

using Weir.Wire.Bytes;

namespace Weir.Wire.Fields;

/// <summary>Enumerates list elements; each has its outer white space taken off.</summary>
public ref struct ListElements(ReadOnlySpan<byte> value)
{
    private ReadOnlySpan<byte> rest = value;

    public ReadOnlySpan<byte> Current { get; private set; }

    public readonly ListElements GetEnumerator() => this;

    public bool MoveNext()
    {
        while (!rest.IsEmpty)
        {
            var end = ElementEnd(rest);
            var element = Ascii.TrimWhiteSpace(rest[..end]);
            rest = end < rest.Length ? rest[(end + 1)..] : default;
            if (element.IsEmpty) continue;
            Current = element;
            return true;
        }

        return false;
    }

    /// <summary>Where the first element of a list ends: at a comma outside quotes, or with the list.</summary>
    public static int ElementEnd(ReadOnlySpan<byte> list)
    {
        var quoted = false;
        for (var i = 0; i < list.Length; i++)
        {
            switch (list[i])
            {
                case (byte)'"':
                    quoted = !quoted;
                    break;
                case (byte)'\\' when quoted:
                    i++;
                    break;
                case (byte)',' when !quoted:
                    return i;
            }
        }

        return list.Length;
    }

    /// <summary>Whether every quote that is opened is closed.</summary>
    public static bool IsClosed(ReadOnlySpan<byte> list)
    {
        var isOpen = false;
        for (var i = 0; i < list.Length; i++)
        {
            if (list[i] == '"') isOpen = !isOpen;
            else if (list[i] == '\\' && isOpen) i++;
        }

        return !isOpen;
    }
}
