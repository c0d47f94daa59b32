// A stored response as one exchange reads it: its head laid out anew in the exchange's own bytes, its body from where it is
// kept. Leased; the exchange holds it (Exchange.Held) and lets go of it at its end.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Reads a stored body, or a part of it. One loop's.</summary>
public sealed class StoredReader : KeptBody, IPartReader, IDisposable
{
    internal StoredReader? NextWaiting;
    internal bool IsListed; // Under the body's lock, as the others.
    internal StoredReader? NextReader, PreviousReader;
    internal bool HasEntered;

    private readonly Stack<StoredReader> home;
    private readonly LoopWake more;
    private PartsSource? parts;
    private StoredResponse? response;
    private StoredBody body = null!;
    private Cache? cache;
    private long at;
    private long end; // -1: where the body ends.
    private bool isLate; // What it is to read is gone.

    internal StoredReader(Loop loop, Stack<StoredReader> home)
    {
        this.home = home;
        more = new LoopWake(loop);
    }

    /// <summary>The fields of the response it reads.</summary>
    public FieldIndex Fields { get; } = new();

    /// <summary>Reads parts of it.</summary>
    PartsSource IPartReader.Parts => parts ??= new PartsSource(this, this);

    long IPartReader.Total => body.Length;

    public override Signal Ready => more.Ready;

    public override long Length => end >= 0 ? end - at : body.Length;

    public override FaultCause Failure => isLate ? FaultCause.Internal : body.Failure;

    /// <summary>How far it has read. Any thread.</summary>
    internal long Position => Volatile.Read(ref at);

    public override bool IsAtEnd => end >= 0 ? at == end : body.IsWhole && at == body.Written;

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (at == end) return BodyStatus.End;
        if (isLate) return BodyStatus.Broken;
        while (true)
        {
            piece = body.From(at, end >= 0 ? end - at : long.MaxValue);
            if (!piece.IsEmpty) return BodyStatus.Piece;
            if (body.IsEnded)
            {
                if (body.Written > at) continue; // The last of it came between the two looks.
                return body.Failure != FaultCause.None || end >= 0 ? BodyStatus.Broken : BodyStatus.End;
            }

            Ready.Clear();
            if (body.TryWait(this, at)) return BodyStatus.Wait;
        }
    }

    public override void Advance(int count)
    {
        Volatile.Write(ref at, at + count);
        body.Pass();
    }

    public override bool Has(BodyEncoder encoder)
    {
        if (body.Coded(encoder.Coding) is not null) return true;
        Recoding.Want(response!, body, cache!, encoder);
        return false;
    }

    public override ReadOnlySpan<byte> Made(BodyEncoder encoder)
    {
        if (!Has(encoder) && body.Length > encoder.Quick) return default;
        return body.Coded(encoder.Coding) is { } made ? made.From(0, made.Length) : default;
    }

    public override void GoOver(BodyEncoder encoder)
    {
        var coded = body.Coded(encoder.Coding)!;
        coded.Hold();
        body.StopWaiting(this);
        body.Leave(this);
        body.LetGo();
        body = coded;
        (at, end) = (0, -1);
    }

    public override SharedDictionary? Dictionary(ReadOnlySpan<byte> hash) => response!.Place is { } place ? cache!.Dictionaries.Find(hash, place.Url) : null;

    /// <summary>Lets go of the response, and goes back to where it was leased.</summary>
    public void Dispose()
    {
        if (response is not { } held) return;
        response = null;
        body.StopWaiting(this);
        body.Leave(this);
        held.LetGo();
        body.Pass();
        body.LetGo();
        body = null!;
        home.Push(this);
    }

    /// <summary>Begins to read. The caller hands over its reference to the response.</summary>
    internal void Begin(StoredResponse of, Cache from)
    {
        response = of;
        cache = from;
        body = of.Body;
        body.Hold();
        at = 0;
        end = -1;
        isLate = !body.TryEnter(this);
    }

    /// <summary>Reads a part only.</summary>
    public void Take(long first, long count)
    {
        end = first + count;
        Volatile.Write(ref at, first);
        body.Pass();
    }

    /// <summary>There is more to read. From any thread, while it is listed.</summary>
    internal void Wake() => more.Wake();
}
