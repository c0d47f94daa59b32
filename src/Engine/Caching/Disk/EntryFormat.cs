// How an entry lies in its file:
//
//   header (128) | key | body | head | a sum of each block of the body
//
// The header comes last to the disk and has a sum of its own; so have key, head and every block of 64 KiB. The sums of the
// blocks are seeded with the entry's serial and the block's place: what another file left in a sector is never taken for it.
// Little endian. A file is never changed once it has its name.

using System.Buffers.Binary;
using System.IO.Hashing;

namespace Weir.Engine.Caching.Disk;

/// <summary>What is known of an entry besides its bytes. The store compares the first with the clock; the others are the caller's.</summary>
/// <param name="Expiry">UTC seconds after which it is of no use to anybody, not even stale.</param>
/// <param name="Stored">UTC seconds at which it was stored.</param>
/// <param name="Mark">The caller's; kept in memory, so that a sweep can pass over what it does not concern without opening files.</param>
public readonly record struct DiskFacts(long Expiry, long Stored, long Mark);

/// <summary>The head of an entry's file.</summary>
internal readonly record struct EntryHeader(UInt128 Hash, ulong Serial, DiskFacts Facts, int KeyLength, int HeadLength, long BodyLength, ulong KeySum, ulong HeadSum)
{
    public const int Bytes = 128;

    /// <summary>The longest key.</summary>
    public const int MostKey = 8064;

    /// <summary>The longest head.</summary>
    public const int MostHead = 65536;

    /// <summary>Bytes of the body with one sum.</summary>
    public const int Block = 65536;

    public const int SumBytes = 8;

    private const ulong Magic = 0x316b_7344_7269_6557; // "WeirDsk1"
    private const int SumAt = Bytes - SumBytes;

    public int BodyAt => Bytes + KeyLength;

    public long HeadAt => BodyAt + BodyLength;

    public long SumsAt => HeadAt + HeadLength;

    public long FileLength => SumsAt + (BlocksOf(BodyLength) * SumBytes);

    public static long BlocksOf(long bodyLength) => (bodyLength + Block - 1) / Block;

    /// <summary>What a file takes of the disk, at least.</summary>
    public static long Occupied(long fileLength) => (fileLength + 4095) & ~4095L;

    public static ulong SumOf(ReadOnlySpan<byte> bytes, ulong serial) => XxHash3.HashToUInt64(bytes, (long)serial);

    public static ulong SumOfBlock(ReadOnlySpan<byte> bytes, ulong serial, long index) => XxHash3.HashToUInt64(bytes, (long)(serial ^ ((ulong)(index + 1) << 40)));

    public void Write(Span<byte> to)
    {
        to[..Bytes].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(to, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], Serial);
        BinaryPrimitives.WriteUInt128LittleEndian(to[16..], Hash);
        BinaryPrimitives.WriteInt64LittleEndian(to[32..], Facts.Expiry);
        BinaryPrimitives.WriteInt64LittleEndian(to[40..], Facts.Stored);
        BinaryPrimitives.WriteInt64LittleEndian(to[48..], Facts.Mark);
        BinaryPrimitives.WriteInt64LittleEndian(to[56..], BodyLength);
        BinaryPrimitives.WriteInt32LittleEndian(to[64..], KeyLength);
        BinaryPrimitives.WriteInt32LittleEndian(to[68..], HeadLength);
        BinaryPrimitives.WriteUInt64LittleEndian(to[72..], KeySum);
        BinaryPrimitives.WriteUInt64LittleEndian(to[80..], HeadSum);
        BinaryPrimitives.WriteUInt64LittleEndian(to[SumAt..], XxHash3.HashToUInt64(to[..SumAt]));
    }

    /// <summary>Reads a header; false: it is none, or not whole.</summary>
    public static bool TryRead(ReadOnlySpan<byte> from, out EntryHeader header)
    {
        header = default;
        if (from.Length < Bytes || BinaryPrimitives.ReadUInt64LittleEndian(from) != Magic) return false;
        if (BinaryPrimitives.ReadUInt64LittleEndian(from[SumAt..]) != XxHash3.HashToUInt64(from[..SumAt])) return false;
        header = new EntryHeader(
            BinaryPrimitives.ReadUInt128LittleEndian(from[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(from[8..]),
            new DiskFacts(BinaryPrimitives.ReadInt64LittleEndian(from[32..]), BinaryPrimitives.ReadInt64LittleEndian(from[40..]), BinaryPrimitives.ReadInt64LittleEndian(from[48..])),
            BinaryPrimitives.ReadInt32LittleEndian(from[64..]),
            BinaryPrimitives.ReadInt32LittleEndian(from[68..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[56..]),
            BinaryPrimitives.ReadUInt64LittleEndian(from[72..]),
            BinaryPrimitives.ReadUInt64LittleEndian(from[80..]));
        return header is { KeyLength: >= 0 and <= MostKey, HeadLength: >= 0 and <= MostHead, BodyLength: >= 0 and < long.MaxValue / 2 };
    }
}
