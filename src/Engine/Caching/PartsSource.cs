// Several ranges of one body as multipart/byteranges. RFC 9110 §14.6, §15.3.7.2.

using System.Security.Cryptography;
using Weir.Engine.Answers;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Reads what it is told of a whole.</summary>
internal interface IPartReader
{
    /// <summary>Bytes of the whole; -1: not known yet.</summary>
    long Total { get; }

    /// <summary>Reads several parts through it.</summary>
    PartsSource Parts { get; }

    /// <summary>Reads a part only.</summary>
    void Take(long first, long count);
}

/// <summary>Reads parts through a reader of the whole. Reused with it; one loop's.</summary>
internal sealed class PartsSource(BodySource whole, IPartReader reader) : BodySource
{
    private const int BoundaryBytes = 24;

    private static readonly ByteRange TypeName = ByteRange.Of("Content-Type"u8.ToArray());

    private readonly PartRange[] parts = new PartRange[ByteRanges.MostParts];
    private readonly ByteRange[] between = new ByteRange[ByteRanges.MostParts + 1]; // What stands before each part, and behind the last.
    private int count;
    private int part;
    private int taken; // Of what stands before it.
    private long length;

    /// <summary>What it reads.</summary>
    public ReadOnlySpan<PartRange> Chosen => parts.AsSpan(0, count);

    public override Signal Ready => whole.Ready;

    public override long Length => length;

    public override FaultCause Failure => whole.Failure;

    public override bool IsAtEnd => part == count && taken == between[part].Length;

    /// <summary>Makes a response of parts.</summary>
    /// <param name="exchange">Whose response it is: it has the whole's fields.</param>
    /// <param name="chosen">At least two.</param>
    /// <param name="of">Bytes in the whole.</param>
    /// <returns>False where there is no room.</returns>
    public bool TryBegin(Exchange exchange, ReadOnlySpan<PartRange> chosen, long of)
    {
        var response = exchange.Response;
        Span<byte> boundary = stackalloc byte[BoundaryBytes];
        RandomNumberGenerator.GetItems("0123456789abcdefghijklmnopqrstuvwxyz"u8, boundary); // Nobody who writes a body can guess it.
        var type = response.Fields.First(KnownField.ContentType);
        (count, part, taken, length) = (chosen.Length, 0, 0, 0);
        chosen.CopyTo(parts);
        for (var i = 0; i <= count; i++)
        {
            if (!exchange.Scratch.TryTake(BoundaryBytes + type.Length + 128, out var room, out var range)) return false;
            var to = new SpanWriter(room);
            to.Write(i == 0 ? "--"u8 : "\r\n--"u8);
            to.Write(boundary);
            if (i == count) to.Write("--\r\n"u8);
            else WriteHead(ref to, type, parts[i], of);
            between[i] = exchange.Scratch.Trim(range, to.Length);
            length += between[i].Length + (i < count ? parts[i].Count : 0);
        }

        if (!exchange.Scratch.TryTake(BoundaryBytes + 40, out var value, out var typed)) return false;
        var written = new SpanWriter(value);
        written.Write("multipart/byteranges; boundary="u8);
        written.Write(boundary);
        response.Status = 206;
        response.Fields.Drop(KnownField.ContentRange);
        response.Fields.Set(KnownField.ContentType, TypeName, exchange.Scratch.Trim(typed, written.Length));
        reader.Take(parts[0].First, parts[0].Count);
        return true;
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        while (true)
        {
            piece = between[part].Span[taken..];
            if (!piece.IsEmpty) return BodyStatus.Piece;
            if (part == count) return BodyStatus.End;
            var status = whole.TryRead(out piece);
            if (status != BodyStatus.End) return status;
            part++;
            taken = 0;
            if (part < count) reader.Take(parts[part].First, parts[part].Count);
        }
    }

    public override void Advance(int used)
    {
        if (taken < between[part].Length) taken += used;
        else whole.Advance(used);
    }

    private static void WriteHead(ref SpanWriter to, ReadOnlySpan<byte> type, PartRange range, long of)
    {
        if (!type.IsEmpty)
        {
            to.Write("\r\nContent-Type: "u8);
            to.Write(type);
        }

        to.Write("\r\nContent-Range: bytes "u8);
        to.WriteDecimal(range.First);
        to.Write((byte)'-');
        to.WriteDecimal(range.First + range.Count - 1);
        to.Write((byte)'/');
        to.WriteDecimal(of);
        to.Write("\r\n\r\n"u8);
    }
}
