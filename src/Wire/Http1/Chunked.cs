// The chunked coding, both ways. Decoding goes on wherever it stopped, one byte at a time if need be. Extensions are
// checked, bounded and ignored; trailers are collected, bounded, and parsed as strictly as a head. RFC 9112 §7.1.

using System.Buffers;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Wire.Http1;

/// <summary>What a decoder found.</summary>
public enum ChunkStep : byte
{
    /// <summary>Bytes of the body.</summary>
    Piece,
    NeedMore,

    /// <summary>The last chunk and the trailers are through.</summary>
    End,
    Bad,
}

/// <summary>Decodes one body after the other.</summary>
public sealed class ChunkedDecoder
{
    /// <summary>Bytes of a trailer section, at most.</summary>
    public const int MostTrailerBytes = 8192;

    private const int MostTrailers = 64;
    private const int MostExtensionBytes = 256;

    // Framing may outweigh the body sixteenfold and this much more; beyond that somebody makes us work for nothing.
    private const int FreeOverhead = 65536;
    private const int OverheadPerByte = 16;

    private static readonly SearchValues<byte> ExtensionEnd = SearchValues.Create(
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127,
    ]);

    private enum State : byte
    {
        Size,
        SpaceBeforeExtension,
        Extension,
        SizeLf,
        Data,
        DataCr,
        DataLf,
        Trailers,
        Done,
    }

    private State state;
    private int digits;
    private long size;
    private int spaces;
    private int extension;
    private long overhead;
    private long decoded;
    private byte[]? extensionBytes;
    private byte[]? trailerBytes;
    private int trailerLength;
    private HeadScan trailerScan;

    /// <summary>The trailers, once decoding has ended; offsets into <see cref="TrailerBytes"/>.</summary>
    public FieldIndex Trailers { get; } = new();

    public byte[] TrailerBytes => trailerBytes ?? [];

    public bool IsDone => state == State.Done;

    public void Reset()
    {
        state = State.Size;
        digits = extension = spaces = trailerLength = 0;
        size = overhead = decoded = 0;
        Trailers.Clear();
        trailerScan = default;
    }

    /// <summary>Looks at the next bytes.</summary>
    /// <param name="input">Bytes not yet used.</param>
    /// <param name="framing">Bytes at its front that are framing: used up by this call, whatever it returns.</param>
    /// <param name="piece">Bytes of the body behind those; told to <see cref="Advance"/> as they are used.</param>
    public ChunkStep Next(ReadOnlySpan<byte> input, out int framing, out int piece)
    {
        framing = piece = 0;
        while (framing < input.Length)
        {
            var b = input[framing];
            switch (state)
            {
                case State.Size:
                    var digit = Ascii.Hex(b);
                    if (digit >= 0)
                    {
                        if (++digits > 15) return ChunkStep.Bad;
                        size = (size << 4) | (uint)digit;
                        framing++;
                        break;
                    }

                    if (digits == 0) return ChunkStep.Bad;
                    if (b == '\r') state = State.SizeLf;
                    else if (b == ';') state = State.Extension;
                    else if (b is (byte)' ' or (byte)'\t') state = State.SpaceBeforeExtension;
                    else return ChunkStep.Bad;
                    framing++;
                    break;
                case State.SpaceBeforeExtension:
                    // RFC 9112 §7.1.1 lets a sender write it before an extension, and before nothing else.
                    if (b == ';') state = State.Extension;
                    else if (b is not ((byte)' ' or (byte)'\t') || ++spaces > MostExtensionBytes) return ChunkStep.Bad;
                    framing++;
                    break;
                case State.Extension:
                    var run = input[framing..].IndexOfAny(ExtensionEnd);
                    var length = run < 0 ? input.Length - framing : run;
                    if (extension + length > MostExtensionBytes) return ChunkStep.Bad;
                    extensionBytes ??= new byte[MostExtensionBytes];
                    input.Slice(framing, length).CopyTo(extensionBytes.AsSpan(extension));
                    extension += length;
                    framing += length;
                    if (run < 0) break;
                    if (input[framing] != '\r' || !ChunkExtensions.AreGood(extensionBytes.AsSpan(0, extension))) return ChunkStep.Bad;
                    framing++;
                    state = State.SizeLf;
                    break;
                case State.SizeLf:
                    if (b != '\n') return ChunkStep.Bad;
                    framing++;
                    overhead += digits + spaces + extension + 4;
                    if (overhead > FreeOverhead + (decoded * OverheadPerByte)) return ChunkStep.Bad;
                    digits = extension = spaces = 0;
                    state = size == 0 ? State.Trailers : State.Data;
                    break;
                case State.Data:
                    piece = (int)Math.Min(size, input.Length - framing);
                    return ChunkStep.Piece;
                case State.DataCr:
                    if (b != '\r') return ChunkStep.Bad;
                    framing++;
                    state = State.DataLf;
                    break;
                case State.DataLf:
                    if (b != '\n') return ChunkStep.Bad;
                    framing++;
                    state = State.Size;
                    break;
                case State.Trailers:
                    return ReadTrailers(input, ref framing);
                default:
                    return ChunkStep.End;
            }
        }

        return state == State.Done ? ChunkStep.End : ChunkStep.NeedMore;
    }

    /// <summary>Says how many bytes of the last piece were used.</summary>
    public void Advance(int count)
    {
        size -= count;
        decoded += count;
        if (size == 0) state = State.DataCr;
    }

    private ChunkStep ReadTrailers(ReadOnlySpan<byte> input, ref int framing)
    {
        // The usual end, in one piece and without trailers.
        if (trailerLength == 0 && input[framing..].StartsWith("\r\n"u8))
        {
            framing += 2;
            state = State.Done;
            return ChunkStep.End;
        }

        trailerBytes ??= new byte[MostTrailerBytes];
        while (framing < input.Length)
        {
            if (trailerLength == MostTrailerBytes) return ChunkStep.Bad;
            var b = input[framing++];
            trailerBytes[trailerLength++] = b;
            if (b != '\n' && b != '\r' && b >= 0x20) continue;
            var status = ReadTrailerLine();
            if (status != ChunkStep.NeedMore) return status;
        }

        return ChunkStep.NeedMore;
    }

    private ChunkStep ReadTrailerLine()
    {
        var bytes = trailerBytes.AsSpan(0, trailerLength);
        var status = trailerScan.NextLine(bytes, out var end, out _);
        if (status == ParseStatus.NeedMore) return ChunkStep.NeedMore;
        if (status == ParseStatus.Bad) return ChunkStep.Bad;
        if (end == trailerScan.LineStart)
        {
            state = State.Done;
            return ChunkStep.End;
        }

        if (trailerScan.ReadField(bytes, end, Trailers) != HeadFault.None || Trailers.Count > MostTrailers) return ChunkStep.Bad;

        // RFC 9110 §6.5.1: what frames or routes a message cannot come after it.
        if (Trailers[Trailers.Count - 1].Known is KnownField.ContentLength or KnownField.TransferEncoding or KnownField.Host or KnownField.Connection or KnownField.Trailer or KnownField.TE or KnownField.Upgrade) return ChunkStep.Bad;
        trailerScan.Accept(end);
        return ChunkStep.NeedMore;
    }
}

/// <summary>Writes chunk framing.</summary>
public static class ChunkedEncoder
{
    /// <summary>Writes a chunk's size line.</summary>
    /// <returns>Bytes written; at most 10.</returns>
    public static int WriteSize(Span<byte> into, int size)
    {
        var shift = 28;
        while (shift > 0 && size >> shift == 0) shift -= 4;
        var at = 0;
        for (; shift >= 0; shift -= 4) into[at++] = "0123456789abcdef"u8[(size >> shift) & 15];
        into[at++] = (byte)'\r';
        into[at++] = (byte)'\n';
        return at;
    }
}
