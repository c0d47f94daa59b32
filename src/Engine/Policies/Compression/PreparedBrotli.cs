// A dictionary as Brotli's compressor wants it (RFC 9841). The runtime brings the code, but exports it only into the native program.
// In bounds: the library is given an array's address and length, and the array stays where it is until this is disposed.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Weir.Engine.Policies.Compression.NativeCodecs;

namespace Weir.Engine.Policies.Compression;

/// <summary>Bytes that stand before a body. Outlives the encoders it is attached to.</summary>
internal sealed unsafe class PreparedBrotli : IDisposable
{
    /// <summary>16 MiB: the most that RFC 9842 allows.</summary>
    public const int Window = 24;

    private const int Raw = 0;

    private GCHandle pinned;
    private nint prepared;

    public PreparedBrotli(byte[] content, int level)
    {
        pinned = GCHandle.Alloc(content, GCHandleType.Pinned);
        prepared = BrotliEncoderPrepareDictionary(Raw, (nuint)content.Length, (byte*)pinned.AddrOfPinnedObject(), level, 0, 0, 0);
    }

    ~PreparedBrotli() => Close();

    /// <summary>Whether this program has it.</summary>
    public static bool IsThere => !RuntimeFeature.IsDynamicCodeSupported;

    public bool TryAttach(nint encoder) => prepared != 0 && BrotliEncoderAttachPreparedDictionary(encoder, prepared) != 0;

    public void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private void Close()
    {
        if (prepared != 0) BrotliEncoderDestroyPreparedDictionary(prepared);
        prepared = 0;
        if (pinned.IsAllocated) pinned.Free();
    }
}
