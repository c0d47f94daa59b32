// Bytes of a secret. They never move, so that the collector leaves no copy of them behind, and are zeroed when they are done
// with. Never made a string.

using System.Security.Cryptography;

namespace Weir.Engine.Disk;

/// <summary>Secret bytes. Whoever has them disposes of them.</summary>
/// <param name="size">How many there is room for.</param>
public sealed class SecretBytes(int size) : IDisposable
{
    private byte[] bytes = GC.AllocateArray<byte>(size, pinned: true);

    /// <summary>How many of them count.</summary>
    public int Length { get; set; } = size;

    /// <summary>Those that count.</summary>
    public Span<byte> Span => bytes.AsSpan(0, Length);

    /// <summary>All there is room for.</summary>
    public Span<byte> Room => bytes;

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(bytes);
        bytes = [];
        Length = 0;
    }
}
