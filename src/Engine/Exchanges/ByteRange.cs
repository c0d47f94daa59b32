// A run of bytes inside a block that somebody else owns: a head, a scratch arena, a plan's constant.

using System.Text;

namespace Weir.Engine.Exchanges;

/// <summary>A part of a byte array. Valid as long as its owner keeps the array; copies nothing.</summary>
public readonly struct ByteRange(byte[] block, int start, int length)
{
    private readonly byte[]? block = block;

    internal byte[] Block => block!;

    public int Start { get; } = start;

    public int Length { get; } = length;

    public bool IsEmpty => Length == 0;

    public ReadOnlySpan<byte> Span => block is null ? default : block.AsSpan(Start, Length);

    public ReadOnlyMemory<byte> Memory => block is null ? default : block.AsMemory(Start, Length);

    /// <summary>A range over a whole array that lives as long as the plan.</summary>
    public static ByteRange Of(byte[] bytes) => new(bytes, 0, bytes.Length);

    public ByteRange Slice(int from, int count) => new(block!, Start + from, count);

    /// <summary>For people and tests.</summary>
    public override string ToString() => Encoding.Latin1.GetString(Span);
}
