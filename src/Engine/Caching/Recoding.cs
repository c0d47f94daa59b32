// Other codings of what is kept, and its digests: made once, behind the answers, for what is asked for again; served many times. One
// thread of its own, so that neither a loop nor a disk waits for it.

using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching;

/// <summary>Makes one coding of one body.</summary>
internal sealed class Recoding : DiskJob
{
    private const int MostWaiting = 1024;

    private static readonly DiskThreads Maker = new(threads: 1, MostWaiting);

    private readonly StoredResponse response;
    private readonly StoredBody body;
    private readonly Cache cache;
    private readonly BodyEncoder encoder;

    private Recoding(StoredResponse response, StoredBody body, Cache cache, BodyEncoder encoder)
        : base(null)
    {
        (this.response, this.body, this.cache, this.encoder) = (response, body, cache, encoder);
        Abandon();
    }

    /// <summary>Somebody would have had what is not there. The caller holds a reference to the response.</summary>
    /// <param name="response">What is kept.</param>
    /// <param name="body">Its body, or another coding of that.</param>
    /// <param name="cache">Where it is kept.</param>
    /// <param name="encoder">What makes it.</param>
    public static void Want(StoredResponse response, StoredBody body, Cache cache, BodyEncoder encoder)
    {
        if (!body.IsWhole || body.Length == 0 || body.Length > encoder.MostLength || body.Wanted(encoder.Coding, encoder.MostBeside) != encoder.WantedEnough) return;
        response.Hold();
        var recoding = new Recoding(response, body, cache, encoder);
        if (body.Length <= encoder.Quick)
        {
            recoding.Work();
            return;
        }

        if (Maker.TryRun(recoding)) return;
        body.Unwanted(encoder.Coding);
        response.LetGo();
    }

    /// <summary>Does other work of this kind behind the answers.</summary>
    /// <returns>False: too much waits already.</returns>
    public static bool TryRun(DiskJob job) => Maker.TryRun(job);

    protected override void Work()
    {
        StoredBody? made = null;
        var room = NativeBlock.Allocate(encoder.MostMade(body.Length));
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
