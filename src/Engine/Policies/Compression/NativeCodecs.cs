// The compressors that the runtime brings along (zlib, Brotli), by their C interface: its streams allocate for each body.
// In bounds: every pointer here comes from a span or a local of the length that is passed beside it.

using System.Runtime.InteropServices;

namespace Weir.Engine.Policies.Compression;

/// <summary>zlib's stream, as the runtime's library passes it on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ZStream
{
    public byte* NextIn;
    public byte* NextOut;
    public byte* Message;
    private nint state;
    public uint AvailableIn;
    public uint AvailableOut;

    public void Offer(byte* input, int length, byte* output, int room)
    {
        NextIn = input;
        AvailableIn = (uint)length;
        NextOut = output;
        AvailableOut = (uint)room;
    }
}

internal static unsafe partial class NativeCodecs
{
    public const int ZOk = 0;
    public const int ZStreamEnd = 1;
    public const int ZBufferError = -5;
    public const int ZNoFlush = 0;
    public const int ZSyncFlush = 2;
    public const int ZFinish = 4;

    /// <summary>A window of 32 KiB, in a gzip member.</summary>
    public const int GzipWindow = 15 + 16;

    public const int BrotliProcess = 0;
    public const int BrotliFlush = 1;
    public const int BrotliFinish = 2;
    public const int BrotliQuality = 1;
    public const int BrotliWindow = 2;
    public const int BrotliSizeHint = 5;
    public const int BrotliFailed = 0;
    public const int BrotliDone = 1;
    public const int BrotliNeedsRoom = 3;

    private const string Library = "libSystem.IO.Compression.Native";

    [LibraryImport(Library)]
    public static partial int CompressionNative_DeflateInit2_(ZStream* stream, int level, int method, int window, int memory, int strategy);

    [LibraryImport(Library)]
    public static partial int CompressionNative_Deflate(ZStream* stream, int flush);

    [LibraryImport(Library)]
    public static partial int CompressionNative_DeflateEnd(ZStream* stream);

    [LibraryImport(Library)]
    public static partial int CompressionNative_InflateInit2_(ZStream* stream, int window);

    [LibraryImport(Library)]
    public static partial int CompressionNative_Inflate(ZStream* stream, int flush);

    [LibraryImport(Library)]
    public static partial int CompressionNative_InflateReset2_(ZStream* stream, int window);

    [LibraryImport(Library)]
    public static partial int CompressionNative_InflateEnd(ZStream* stream);

    [LibraryImport(Library)]
    public static partial nint BrotliEncoderCreateInstance(nint allocate, nint free, nint of);

    [LibraryImport(Library)]
    public static partial int BrotliEncoderSetParameter(nint encoder, int parameter, uint value);

    [LibraryImport(Library)]
    public static partial int BrotliEncoderCompressStream(nint encoder, int operation, nuint* availableIn, byte** nextIn, nuint* availableOut, byte** nextOut, nuint* total);

    [LibraryImport(Library)]
    public static partial int BrotliEncoderHasMoreOutput(nint encoder);

    [LibraryImport(Library)]
    public static partial void BrotliEncoderDestroyInstance(nint encoder);

    // Only where the library stands in the native program: the runtime's own file does not export these three.
    [LibraryImport(Library)]
    public static partial nint BrotliEncoderPrepareDictionary(int type, nuint length, byte* bytes, int quality, nint allocate, nint free, nint of);

    [LibraryImport(Library)]
    public static partial int BrotliEncoderAttachPreparedDictionary(nint encoder, nint dictionary);

    [LibraryImport(Library)]
    public static partial void BrotliEncoderDestroyPreparedDictionary(nint dictionary);

    [LibraryImport(Library)]
    public static partial nint BrotliDecoderCreateInstance(nint allocate, nint free, nint of);

    [LibraryImport(Library)]
    public static partial int BrotliDecoderDecompressStream(nint decoder, nuint* availableIn, byte** nextIn, nuint* availableOut, byte** nextOut, nuint* total);

    [LibraryImport(Library)]
    public static partial void BrotliDecoderDestroyInstance(nint decoder);
}
