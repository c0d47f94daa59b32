// Other codings of what is kept: made once, behind the answers, for what is asked for again; served many times. One thread of its
// own, so that neither a loop nor a disk waits for it.

using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching;

/// <summary>Makes one coding of one body.</summary>
internal sealed class Recoding : DiskJob
{
    /// <summary>Longer bodies are compressed as they go.</summary>
    public const long LargestBody = 16 << 20;

    private const int MostWaiting = 1024;

    private static readonly DiskThreads Maker = new(threads: 1, MostWaiting);

    private readonly StoredResponse response;
    private readonly Cache cache;
    private readonly BodyEncoder encoder;

    private Recoding(StoredResponse response, Cache cache, BodyEncoder encoder)
        : base(null)
    {
        (this.response, this.cache, this.encoder) = (response, cache, encoder);
        Abandon();
    }

    /// <summary>Somebody would have had a coding that is not there. The caller holds a reference to the response.</summary>
    public static void Want(StoredResponse response, Cache cache, BodyEncoder encoder)
    {
        var body = response.Body;
        if (!body.IsWhole || body.Length is 0 or > LargestBody || body.Wanted(encoder.Coding, encoder.MostBeside) != encoder.WantedEnough) return;
        response.Hold();
        if (Maker.TryRun(new Recoding(response, cache, encoder))) return;
        body.Unwanted(encoder.Coding);
        response.LetGo();
    }

    /// <summary>Does other work of this kind behind the answers.</summary>
    /// <returns>False: too much waits already.</returns>
    public static bool TryRun(DiskJob job) => Maker.TryRun(job);

    protected override void Work()
    {
        var body = response.Body;
        StoredBody? made = null;
        var room = NativeBlock.Allocate((int)(body.Length - (body.Length / 16))); // What does not become shorter is not worth it.
        try
        {
            var at = 0L;
            ReadOnlySpan<byte> Piece(int index)
            {
                var piece = body.From(at, long.MaxValue);
                at += piece.Length;
                return piece;
            }

            if (encoder.TryEncode(body.Length, body.Pieces, Piece, room.Bytes, out var length))
            {
                made = new StoredBody(length, cache.Memory);
                made.Append(room.Bytes[..length]);
                made.End(FaultCause.None);
            }
        }
        finally
        {
            room.Free();
            body.Settle(encoder.Coding, made);
            cache.Settle(response);
            response.LetGo();
        }
    }

    protected override void LetGo()
    {
    }
}
