// Brotli (RFC 7932), by the runtime's library, which can not begin anew: its state is made for each body.

using static Weir.Engine.Policies.Compression.NativeCodecs;

namespace Weir.Engine.Policies.Compression;

/// <summary>Compresses.</summary>
internal sealed unsafe class BrotliEncoder(int level, PreparedBrotli? before = null) : Coder
{
    // 512 KiB: what lies further back is rarely met again in a page, and each body would hold it.
    private const int MostWindow = 19;
    private const int LeastWindow = 14;

    private nint encoder;

    ~BrotliEncoder() => Close();

    public override int Footprint => level switch { <= 1 => 1 << 20, <= 4 => 2 << 20, <= 9 => 6 << 20, _ => 24 << 20 };

    public override bool TryBegin(long length)
    {
        Close();
        encoder = BrotliEncoderCreateInstance(0, 0, 0);
        if (encoder == 0 || (before is not null && !before.TryAttach(encoder))) return false;
        var window = before is null ? MostWindow : PreparedBrotli.Window;
        while (length >= 0 && window > LeastWindow && 1L << (window - 1) >= length) window--;
        if (length > 0) _ = BrotliEncoderSetParameter(encoder, BrotliSizeHint, (uint)Math.Min(length, 1 << 30));
        return BrotliEncoderSetParameter(encoder, BrotliQuality, (uint)level) != 0 && BrotliEncoderSetParameter(encoder, BrotliWindow, (uint)window) != 0;
    }

    public override CoderStatus Step(ReadOnlySpan<byte> input, Span<byte> output, CoderStep step, out int used, out int written)
    {
        fixed (byte* from = input, to = output)
        {
            byte* nextIn = from, nextOut = to;
            var (left, room) = ((nuint)input.Length, (nuint)output.Length);
            var operation = step switch { CoderStep.Go => BrotliProcess, CoderStep.Flush => BrotliFlush, _ => BrotliFinish };
            var good = BrotliEncoderCompressStream(encoder, operation, &left, &nextIn, &room, &nextOut, null) != 0;
            (used, written) = (input.Length - (int)left, output.Length - (int)room);
            if (!good) return CoderStatus.Broken;
            return left > 0 || BrotliEncoderHasMoreOutput(encoder) != 0 ? CoderStatus.NeedsRoom : CoderStatus.Done;
        }
    }

    public override void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private void Close()
    {
        if (encoder != 0) BrotliEncoderDestroyInstance(encoder);
        encoder = 0;
    }
}

/// <summary>Decompresses; windows beyond those of RFC 7932 (16 MiB) are refused.</summary>
internal sealed unsafe class BrotliDecoder : Coder
{
    private nint decoder;
    private bool isFresh;
    private bool isWhole;

    ~BrotliDecoder() => Close();

    public override int Footprint => 17 << 20;

    public override bool TryBegin(long length)
    {
        Close();
        (isFresh, isWhole) = (true, false);
        decoder = BrotliDecoderCreateInstance(0, 0, 0);
        return decoder != 0;
    }

    public override CoderStatus Step(ReadOnlySpan<byte> input, Span<byte> output, CoderStep step, out int used, out int written)
    {
        used = written = 0;
        if (isWhole) return input.IsEmpty ? CoderStatus.Done : CoderStatus.Broken;
        if (isFresh && input.IsEmpty) return CoderStatus.Done;
        isFresh = false;
        fixed (byte* from = input, to = output)
        {
            byte* nextIn = from, nextOut = to;
            var (left, room) = ((nuint)input.Length, (nuint)output.Length);
            var result = BrotliDecoderDecompressStream(decoder, &left, &nextIn, &room, &nextOut, null);
            (used, written) = (input.Length - (int)left, output.Length - (int)room);
            if (result == BrotliFailed) return CoderStatus.Broken;
            if (result == BrotliNeedsRoom) return CoderStatus.NeedsRoom;
            isWhole = result == BrotliDone;
            if (isWhole && used < input.Length) return CoderStatus.Broken; // Nothing may follow.
            return isWhole || step != CoderStep.Finish ? CoderStatus.Done : CoderStatus.Broken;
        }
    }

    public override void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private void Close()
    {
        if (decoder != 0) BrotliDecoderDestroyInstance(decoder);
        decoder = 0;
    }
}
