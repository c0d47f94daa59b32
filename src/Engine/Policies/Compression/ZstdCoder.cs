// zstd (RFC 8878), by ZstdSharp: one day the runtime's own takes its place behind the same contract. Its state is used again
// and again. No window beyond 8 MiB, in either direction (RFC 9659).
// In bounds: every pointer here comes from a span or a local of the length that is passed beside it.

using System.Numerics;
using System.Runtime.InteropServices;
using ZstdSharp.Unsafe;

namespace Weir.Engine.Policies.Compression;

/// <summary>Compresses.</summary>
internal sealed unsafe class ZstdEncoder : Coder
{
    // 1 MiB up to the usual levels: each body under way holds its window.
    private const int UsualWindow = 20;
    private const int MostWindow = 23;

    private readonly int level;
    private readonly byte[] prefix = [];
    private ZSTD_CCtx_s* context;
    private GCHandle pinned; // The prefix, as long as the context may look at it.

    public ZstdEncoder(int level)
    {
        this.level = level;
        context = Methods.ZSTD_createCCtx();
        if (context is null) return;
        Set(ZSTD_cParameter.ZSTD_c_compressionLevel, level);
        Set(ZSTD_cParameter.ZSTD_c_windowLog, level <= 12 ? UsualWindow : MostWindow);
    }

    /// <summary>For one body, before which these bytes stand.</summary>
    public ZstdEncoder(int level, byte[] before, long length)
        : this(level)
    {
        prefix = before;
        pinned = GCHandle.Alloc(prefix, GCHandleType.Pinned);
        if (context is not null) Set(ZSTD_cParameter.ZSTD_c_windowLog, Math.Clamp(BitOperations.Log2((ulong)(prefix.Length + length)) + 1, UsualWindow, MostWindow));
    }

    ~ZstdEncoder() => Close();

    public override int Footprint => level switch { <= 4 => 3 << 20, <= 12 => 12 << 20, _ => 96 << 20 };

    public override bool TryBegin(long length)
    {
        if (context is null) return false;
        Methods.ZSTD_CCtx_reset(context, ZSTD_ResetDirective.ZSTD_reset_session_only);
        if (prefix.Length > 0 && Methods.ZSTD_isError(Methods.ZSTD_CCtx_refPrefix(context, (void*)pinned.AddrOfPinnedObject(), (nuint)prefix.Length))) return false;
        return length < 0 || !Methods.ZSTD_isError(Methods.ZSTD_CCtx_setPledgedSrcSize(context, (ulong)length));
    }

    public override CoderStatus Step(ReadOnlySpan<byte> input, Span<byte> output, CoderStep step, out int used, out int written)
    {
        fixed (byte* from = input, to = output)
        {
            var source = new ZSTD_inBuffer_s { src = from, size = (nuint)input.Length };
            var target = new ZSTD_outBuffer_s { dst = to, size = (nuint)output.Length };
            var directive = step switch { CoderStep.Go => ZSTD_EndDirective.ZSTD_e_continue, CoderStep.Flush => ZSTD_EndDirective.ZSTD_e_flush, _ => ZSTD_EndDirective.ZSTD_e_end };
            var left = Methods.ZSTD_compressStream2(context, &target, &source, directive);
            (used, written) = ((int)source.pos, (int)target.pos);
            if (Methods.ZSTD_isError(left)) return CoderStatus.Broken;
            return source.pos < source.size || (step != CoderStep.Go && left > 0) ? CoderStatus.NeedsRoom : CoderStatus.Done;
        }
    }

    public override void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private void Set(ZSTD_cParameter parameter, int value)
    {
        if (Methods.ZSTD_isError(Methods.ZSTD_CCtx_setParameter(context, parameter, value))) throw new ArgumentOutOfRangeException(nameof(value), value, parameter.ToString());
    }

    private void Close()
    {
        if (context is not null) Methods.ZSTD_freeCCtx(context);
        context = null;
        if (pinned.IsAllocated) pinned.Free();
    }
}

/// <summary>Decompresses; frames that follow one another are one body.</summary>
internal sealed unsafe class ZstdDecoder : Coder
{
    private const int MostWindow = 23;

    private ZSTD_DCtx_s* context;
    private bool isBetween; // Nothing is under way: before the first frame, or after one.

    public ZstdDecoder()
    {
        context = Methods.ZSTD_createDCtx();
        if (context is not null) _ = Methods.ZSTD_DCtx_setParameter(context, ZSTD_dParameter.ZSTD_d_windowLogMax, MostWindow);
    }

    ~ZstdDecoder() => Close();

    public override int Footprint => 9 << 20;

    public override bool TryBegin(long length)
    {
        if (context is null) return false;
        Methods.ZSTD_DCtx_reset(context, ZSTD_ResetDirective.ZSTD_reset_session_only);
        isBetween = true;
        return true;
    }

    public override CoderStatus Step(ReadOnlySpan<byte> input, Span<byte> output, CoderStep step, out int used, out int written)
    {
        used = written = 0;
        if (isBetween && input.IsEmpty) return CoderStatus.Done;
        fixed (byte* from = input, to = output)
        {
            var source = new ZSTD_inBuffer_s { src = from, size = (nuint)input.Length };
            var target = new ZSTD_outBuffer_s { dst = to, size = (nuint)output.Length };
            while (true)
            {
                var left = Methods.ZSTD_decompressStream(context, &target, &source);
                (used, written) = ((int)source.pos, (int)target.pos);
                if (Methods.ZSTD_isError(left)) return CoderStatus.Broken;
                isBetween = left == 0;
                if (written == output.Length && !(isBetween && used == input.Length)) return CoderStatus.NeedsRoom;
                if (used < input.Length) continue;
                return isBetween || step != CoderStep.Finish ? CoderStatus.Done : CoderStatus.Broken;
            }
        }
    }

    public override void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private void Close()
    {
        if (context is not null) Methods.ZSTD_freeDCtx(context);
        context = null;
    }
}
