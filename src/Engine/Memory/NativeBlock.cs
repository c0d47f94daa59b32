// Memory outside the managed heap, for what lives long and is of no interest to the collector. This is the only file here that
// touches an address: every span it hands out lies between the block's first byte and its length, and whoever holds one holds
// a reference to its owner, who frees once nobody does.

using System.Runtime.InteropServices;

namespace Weir.Engine.Memory;

/// <summary>A block of native memory. A value: whoever owns it frees it, exactly once.</summary>
public readonly unsafe struct NativeBlock
{
    private readonly byte* address;

    private NativeBlock(byte* address, int length)
    {
        this.address = address;
        Length = length;
    }

    public int Length { get; }

    public bool IsNone => address is null;

    public Span<byte> Bytes => new(address, Length);

    /// <summary>Takes memory, uninitialised.</summary>
    /// <exception cref="OutOfMemoryException">The system has none: limits are far below that.</exception>
    public static NativeBlock Allocate(int length) => new((byte*)NativeMemory.Alloc((nuint)length), length);

    /// <summary>As <see cref="Allocate"/>, for memory that can be done without.</summary>
    public static bool TryAllocate(int length, out NativeBlock block)
    {
        try
        {
            block = Allocate(length);
            return true;
        }
        catch (OutOfMemoryException)
        {
            block = default;
            return false;
        }
    }

    public void Free() => NativeMemory.Free(address);
}
