// Bodies in a content coding, as clients and origins make and read them: by other code than the engine's, but for zstd.

using System.IO.Compression;
using System.Text;

namespace Weir.Tests.Simulation;

internal static class Packed
{
    public static byte[] Gzip(byte[] bytes)
    {
        var packed = new MemoryStream();
        using (var stream = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) stream.Write(bytes);
        return packed.ToArray();
    }

    /// <summary>What a body was made from; null: it is not whole, or not of its coding.</summary>
    /// <param name="coding">The value of its Content-Encoding; empty: it has none.</param>
    /// <param name="body">The body.</param>
    public static byte[]? Read(ReadOnlySpan<byte> coding, byte[] body)
    {
        if (coding.IsEmpty) return body;
        try
        {
            using System.IO.Stream stream = Encoding.ASCII.GetString(coding) switch
            {
                "gzip" => new GZipStream(new MemoryStream(body), CompressionMode.Decompress),
                "br" => new BrotliStream(new MemoryStream(body), CompressionMode.Decompress),
                _ => new ZstdSharp.DecompressionStream(new MemoryStream(body)),
            };
            var plain = new MemoryStream();
            stream.CopyTo(plain);
            return plain.ToArray();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ZstdSharp.ZstdException)
        {
            return null;
        }
    }
}
