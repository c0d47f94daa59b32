// What of a path is a version, as builders of sites write it: app.3f2a9c81.js, jquery-3.7.1.min.js, /v2.1/app.js. Numbers and what
// looks like a hash; the beginning of a name and its ending stay.

using Weir.Wire.Bytes;

namespace Weir.Engine.Policies.Compression;

/// <summary>Makes patterns of paths.</summary>
public static class VersionedPath
{
    /// <summary>Writes a pattern that a path and its other versions match: the path, with '*' for what is a version.</summary>
    /// <param name="path">As the client wrote it.</param>
    /// <param name="into">As many bytes as the path has are enough.</param>
    /// <param name="length">Bytes written.</param>
    /// <returns>False: it is none that a pattern can be made of.</returns>
    public static bool TryWriteMatch(ReadOnlySpan<byte> path, Span<byte> into, out int length)
    {
        length = 0;
        if (path.IsEmpty || path[0] != '/' || into.Length < path.Length) return false;
        foreach (var b in path)
        {
            if (!char.IsAsciiLetterOrDigit((char)b) && b is not ((byte)'/' or (byte)'.' or (byte)'-' or (byte)'_' or (byte)'~' or (byte)'%' or (byte)'@' or (byte)'=' or (byte)',')) return false;
        }

        var to = new SpanWriter(into);
        var rest = path;
        while (!rest.IsEmpty)
        {
            to.Write((byte)'/');
            rest = rest[1..];
            var end = rest.IndexOf((byte)'/');
            if (end < 0) WriteName(rest, ref to);
            else WriteFolder(rest[..end], ref to);
            rest = end < 0 ? default : rest[end..];
        }

        length = to.Length;
        return true;
    }

    private static void WriteFolder(ReadOnlySpan<byte> folder, ref SpanWriter to)
    {
        var isVersion = !folder.IsEmpty;
        for (var rest = folder; !rest.IsEmpty && isVersion;)
        {
            isVersion = IsVersion(Take(ref rest, out _));
        }

        if (isVersion) to.Write((byte)'*');
        else to.Write(folder);
    }

    private static void WriteName(ReadOnlySpan<byte> name, ref SpanWriter to)
    {
        var dot = name.LastIndexOf((byte)'.');
        var rest = dot < 0 ? name : name[..dot];
        var ending = dot < 0 ? default : name[dot..];
        var (isFirst, wasVersion) = (true, false);
        byte before = 0;
        while (!rest.IsEmpty)
        {
            var part = Take(ref rest, out var mark);
            var isVersion = IsVersion(part) && (!isFirst || rest.IsEmpty);
            if (!(isVersion && wasVersion))
            {
                if (before != 0) to.Write(before);
                if (isVersion) to.Write((byte)'*');
                else to.Write(part);
            }

            (isFirst, wasVersion, before) = (false, isVersion, mark);
        }

        if (before != 0) to.Write(before);
        to.Write(ending);
    }

    // Up to the next mark between parts; 0: there is none.
    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, out byte mark)
    {
        var end = rest.IndexOfAny(".-_"u8);
        var part = end < 0 ? rest : rest[..end];
        mark = end < 0 ? (byte)0 : rest[end];
        rest = end < 0 ? default : rest[(end + 1)..];
        return part;
    }

    private static bool IsVersion(ReadOnlySpan<byte> part)
    {
        if (part.Length > 1 && part[0] is (byte)'v' or (byte)'V' && part[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0) return true;
        var digits = 0;
        foreach (var b in part)
        {
            if (!char.IsAsciiLetterOrDigit((char)b)) return false;
            if (Ascii.IsDigit(b)) digits++;
        }

        return digits > 0 && (digits == part.Length || part.Length >= 8 || (part.Length >= 6 && digits >= 2));
    }
}
