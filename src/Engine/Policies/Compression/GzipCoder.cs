// gzip (RFC 1952), by zlib. Its state is made for each body: what one body has left behind is never another's.

using static Weir.Engine.Policies.Compression.NativeCodecs;

namespace Weir.Engine.Policies.Compression;

/// <summary>Compresses.</summary>
internal sealed unsafe class GzipEncoder(int level) : Coder
{
    private const int Deflated = 8;
    private const int UsualMemory = 8;

    private ZStream stream;
    private bool isOpen;

    ~GzipEncoder() => Close();

    public override int Footprint => 400 << 10;

    public override bool TryBegin(long length)
    {
        Close();
        fixed (ZStream* z = &stream) isOpen = CompressionNative_DeflateInit2_(z, level, Deflated, GzipWindow, UsualMemory, 0) == ZOk;
        return isOpen;
    }

    public override CoderStatus Step(ReadOnlySpan<byte> input, Span<byte> output, CoderStep step, out int used, out int written)
    {
        used = written = 0;
        if (output.IsEmpty) return CoderStatus.NeedsRoom;
        fixed (byte* from = input, to = output)
        fixed (ZStream* z = &stream)
        {
            z->Offer(from, input.Length, to, output.Length);
            var result = CompressionNative_Deflate(z, step switch { CoderStep.Go => ZNoFlush, CoderStep.Flush => ZSyncFlush, _ => ZFinish });
            (used, written) = (input.Length - (int)z->AvailableIn, output.Length - (int)z->AvailableOut);
            if (result == ZStreamEnd) return CoderStatus.Done;
            if (result is not (ZOk or ZBufferError)) return CoderStatus.Broken;

            // Room that is left says that there is nothing more to be put out.
            return z->AvailableOut == 0 || step == CoderStep.Finish ? CoderStatus.NeedsRoom : CoderStatus.Done;
        }
    }

    public override void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private void Close()
    {
        if (!isOpen) return;
        isOpen = false;
        fixed (ZStream* z = &stream) _ = CompressionNative_DeflateEnd(z);
    }
}

/// <summary>Decompresses; members that follow one another are one body (RFC 1952 §2.2).</summary>
internal sealed unsafe class GzipDecoder : Coder
{
    private ZStream stream;
    private bool isOpen;
    private bool isFresh; // Nothing has come of a first member.
    private bool isWhole; // The last member has ended.

    ~GzipDecoder() => Close();

    public override int Footprint => 64 << 10;

    public override bool TryBegin(long length)
    {
        isFresh = true;
        isWhole = false;
        return TryReset();
    }

    public override CoderStatus Step(ReadOnlySpan<byte> input, Span<byte> output, CoderStep step, out int used, out int written)
    {
        used = written = 0;
        if (output.IsEmpty) return CoderStatus.NeedsRoom;
        fixed (byte* from = input, to = output)
        fixed (ZStream* z = &stream)
        {
            while (true)
            {
                if (isWhole && used < input.Length)
                {
                    if (!TryReset()) return CoderStatus.Broken;
                    isWhole = false;
                }

                if (isWhole || (isFresh && input.IsEmpty)) return CoderStatus.Done;
                isFresh = false;
                z->Offer(from + used, input.Length - used, to + written, output.Length - written);
                var result = CompressionNative_Inflate(z, ZNoFlush);
                (used, written) = (input.Length - (int)z->AvailableIn, output.Length - (int)z->AvailableOut);
                if (result is not (ZOk or ZStreamEnd or ZBufferError)) return CoderStatus.Broken;
                isWhole = result == ZStreamEnd;
                if (written == output.Length && !(isWhole && used == input.Length)) return CoderStatus.NeedsRoom;
                if (used < input.Length) continue;
                return isWhole || step != CoderStep.Finish ? CoderStatus.Done : CoderStatus.Broken;
            }
        }
    }

    public override void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private bool TryReset()
    {
        fixed (ZStream* z = &stream)
        {
            if (isOpen) return CompressionNative_InflateReset2_(z, GzipWindow) == ZOk;
            return isOpen = CompressionNative_InflateInit2_(z, GzipWindow) == ZOk;
        }
    }

    private void Close()
    {
        if (!isOpen) return;
        isOpen = false;
        fixed (ZStream* z = &stream) _ = CompressionNative_InflateEnd(z);
    }
}
