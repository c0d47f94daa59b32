// The file that travels. Its bytes repeat after a prime number of them, so that no part can stand in for another.

namespace Weir.Control.Laboratory;

internal static class LabFile
{
    public const string Path = "/file";
    public const string Tag = "\"lab-1\"";
    private const int Period = 65_521;

    private static readonly byte[] Bytes = Make();

    /// <summary>Some bytes from an offset on: at most <paramref name="most"/>, and at least one.</summary>
    public static ReadOnlyMemory<byte> From(long offset, long most)
    {
        var at = (int)(offset % Period);
        return Bytes.AsMemory(at, (int)Math.Min(most, Bytes.Length - at));
    }

    /// <summary>Whether these bytes stand in the file at that offset.</summary>
    public static bool Holds(long offset, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var piece = From(offset, bytes.Length).Span;
            if (!bytes[..piece.Length].SequenceEqual(piece)) return false;
            bytes = bytes[piece.Length..];
            offset += piece.Length;
        }

        return true;
    }

    private static byte[] Make()
    {
        var bytes = new byte[2 * Period];
        new Random(Period).NextBytes(bytes.AsSpan(0, Period));
        bytes.AsSpan(0, Period).CopyTo(bytes.AsSpan(Period));
        return bytes;
    }
}
