// What turns bytes into others, step by step: a compressor or a decompressor of one coding. Its state lies outside the managed
// heap; nothing is allocated by a step. One body after the other; one thread at a time.

namespace Weir.Engine.Policies.Compression;

/// <summary>What is wanted of a step.</summary>
public enum CoderStep : byte
{
    /// <summary>Bytes may be kept back until more have come.</summary>
    Go,

    /// <summary>Everything that went in must come out, so that whoever reads has it.</summary>
    Flush,

    /// <summary>Nothing more goes in.</summary>
    Finish,
}

/// <summary>How far a step came.</summary>
public enum CoderStatus : byte
{
    /// <summary>All was taken, and what the step asked for is done.</summary>
    Done,

    /// <summary>There is more to be put out: again, with room.</summary>
    NeedsRoom,

    /// <summary>What went in is not of this coding, or ends where it must not.</summary>
    Broken,
}

/// <summary>One coding in one direction.</summary>
public abstract class Coder : IDisposable
{
    /// <summary>Bytes that it may hold, at most.</summary>
    public abstract int Footprint { get; }

    /// <summary>Begins a body.</summary>
    /// <param name="length">Bytes that will go in; -1: nobody knows.</param>
    /// <returns>False where there is no memory.</returns>
    public abstract bool TryBegin(long length);

    /// <summary>Takes bytes in and puts bytes out. After <see cref="CoderStatus.NeedsRoom"/> it is called with the rest of the input.</summary>
    public abstract CoderStatus Step(ReadOnlySpan<byte> input, Span<byte> output, CoderStep step, out int used, out int written);

    public abstract void Dispose();

    /// <summary>A compressor.</summary>
    public static Coder Encoder(Coding coding, int level) => coding switch
    {
        Coding.Gzip => new GzipEncoder(level),
        Coding.Brotli => new BrotliEncoder(level),
        _ => new ZstdEncoder(level),
    };

    /// <summary>A decompressor.</summary>
    public static Coder Decoder(Coding coding) => coding switch
    {
        Coding.Gzip => new GzipDecoder(),
        Coding.Brotli => new BrotliDecoder(),
        _ => new ZstdDecoder(),
    };
}
