// A body that is there as a whole, compressed outside any request: for what is stored, once, and as hard as is wanted.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Policies.Compression;

/// <summary>Compresses whole bodies. Any thread; may take long.</summary>
public static class WholeBody
{
    /// <summary>Bytes that are enough for a body of this length, whatever is in it.</summary>
    public static long MostBytes(long length) => length + (length >> 7) + 1024;

    /// <summary>Compresses a body.</summary>
    /// <param name="coding">The coding.</param>
    /// <param name="level">From 1 to <see cref="Codings.MostLevel"/>.</param>
    /// <param name="length">Bytes of all pieces.</param>
    /// <param name="pieces">How many pieces there are.</param>
    /// <param name="piece">Gives each of them once, in their order.</param>
    /// <param name="into">Where it goes; less room than <see cref="MostBytes"/> says how short it must become to be worth it.</param>
    /// <param name="written">Bytes of it.</param>
    /// <returns>False where it does not fit, or there is no memory.</returns>
    public static bool TryCompress(Coding coding, int level, long length, int pieces, PieceAt piece, Span<byte> into, out int written)
    {
        using var coder = Coder.Encoder(coding, level);
        return TryCompress(coder, length, pieces, piece, into, out written);
    }

    internal static bool TryCompress(Coder coder, long length, int pieces, PieceAt piece, Span<byte> into, out int written)
    {
        written = 0;
        if (!coder.TryBegin(length)) return false;
        for (var i = 0; i <= pieces; i++)
        {
            var left = i < pieces ? piece(i) : default;
            CoderStatus status;
            do
            {
                status = coder.Step(left, into[written..], i < pieces ? CoderStep.Go : CoderStep.Finish, out var used, out var came);
                left = left[used..];
                written += came;
                if (status == CoderStatus.Broken || (status == CoderStatus.NeedsRoom && used + came == 0)) return false;
            }
            while (status == CoderStatus.NeedsRoom);
        }

        return true;
    }
}

/// <summary>Compresses what is kept: harder than what a client waits for, the harder the shorter it is.</summary>
internal sealed class WholeEncoder(Coding coding) : BodyEncoder
{
    // Longer bodies are not compressed as hard as can be: it would take minutes.
    private const long Short = 1 << 20;

    private static readonly WholeEncoder[] All = [.. Enum.GetValues<Coding>().Select(static c => new WholeEncoder(c))];

    public override byte[] Coding => Codings.Name(coding);

    public static WholeEncoder Of(Coding coding) => All[(int)coding];

    public override bool TryEncode(long length, int pieces, PieceAt piece, Span<byte> into, out int written) =>
        WholeBody.TryCompress(coding, length <= Short ? Codings.MostLevel(coding) : Codings.Levels(coding).Most, length, pieces, piece, into, out written);
}
