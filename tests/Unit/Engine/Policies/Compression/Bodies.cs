// Bodies to be compressed, and what other programs' decoders make of them.

using System.IO.Compression;
using System.Text;
using Weir.Engine.Policies.Compression;

namespace Weir.Tests.Unit.Engine.Policies.Compression;

internal static class Bodies
{
    /// <summary>Something like a page.</summary>
    public static byte[] Text(int length)
    {
        var random = new Random(length);
        var text = new StringBuilder();
        while (text.Length < length) text.Append("<li class=\"item\"><a href=\"/articles/").Append(random.Next(10_000)).Append("\">An article of ").Append(random.Next(1900, 2100)).Append("</a></li>\n");
        return Encoding.ASCII.GetBytes(text.ToString()[..length]);
    }

    public static byte[] Noise(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Compresses by other code than ours, but for zstd.</summary>
    public static byte[] Pack(Coding coding, byte[] bytes)
    {
        var packed = new MemoryStream();
        using (Stream stream = coding switch
        {
            Coding.Gzip => new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true),
            Coding.Brotli => new BrotliStream(packed, CompressionLevel.Optimal, leaveOpen: true),
            _ => new ZstdSharp.CompressionStream(packed, 5, leaveOpen: true),
        }) stream.Write(bytes);
        return packed.ToArray();
    }

    /// <summary>The same way back; what has come so far where it is not whole.</summary>
    public static byte[] Unpack(Coding coding, byte[] packed)
    {
        using Stream stream = coding switch
        {
            Coding.Gzip => new GZipStream(new MemoryStream(packed), CompressionMode.Decompress),
            Coding.Brotli => new BrotliStream(new MemoryStream(packed), CompressionMode.Decompress),
            _ => new ZstdSharp.DecompressionStream(new MemoryStream(packed), checkEndOfStream: false),
        };
        var bytes = new MemoryStream();
        var room = new byte[4096];
        try
        {
            while (stream.Read(room) is var count and > 0) bytes.Write(room.AsSpan(0, count));
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            // Cut off: what came before it counts.
        }

        return bytes.ToArray();
    }
}
