// A byte stream over TLS. It shares the signals of the transport beneath; what is special is small: reads go on until the
// engine wants more, several records leave in one call, and a record that has begun to leave has to leave whole.
//
// A record whose end found no room is committed: its bytes cannot be taken back, and whoever wrote them must come again.
// So all of its bytes but the last are told as taken. The last is offered again with what follows, and taken when the
// record has left.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>A <see cref="Transport"/> over TLS, once its handshake is done.</summary>
public sealed class TlsTransport : Transport
{
    // Of a write, in records; the rest is offered again.
    private const int MostAtOnce = 5;

    // Stands for what is on its way already: not what others have left in the staging.
    private static readonly byte[] Spent = new byte[TlsEngine.MostWritten];

    [ThreadStatic]
    private static byte[]? staging;

    private readonly Transport inner;
    private readonly TlsEngine engine;
    private readonly int mostPiece;
    private int committed; // The length of the record that is on its way.
    private int held; // Of its bytes, those not told as taken yet.
    private bool ended;
    private bool endSaid;
    private bool broken;
    private bool isSlow; // Its last write found no room for all: one record at a time, so that little waits encrypted.
    private bool readWaits; // For a write of its own.
    private bool writeWaits; // For the peer's word.

    public TlsTransport(Transport inner, TlsEngine engine)
        : base(inner)
    {
        this.inner = inner;
        this.engine = engine;
        mostPiece = engine.MostPiece;
        if (engine.HasPending) Readable.Latch();
    }

    public override NetworkAddress Remote => inner.Remote;

    public override NetworkAddress Local => inner.Local;

    public override int LocalPort => inner.LocalPort;

    public override bool IsBroken => broken || inner.IsBroken;

    public override string Trouble => broken && engine.Trouble is not (TlsTrouble.None or TlsTrouble.Broken) ? engine.TroubleText : "";

    public override TlsFacts? Tls => engine.Facts;

    public override bool IsConfirmed => engine.IsConfirmed;

    // Tickets and the like are not the peer's words.
    public override bool HasUnasked
    {
        get
        {
            if (IsClosed || broken || Gone.IsSet) return true;
            if (!Readable.IsSet || !engine.Peek()) return false;
            Readable.Latch(); // No event tells of what was read ahead.
            return true;
        }
    }

    public override IoResult TryRead(Span<byte> into)
    {
        if (IsClosed || broken) return IoResult.Reset;
        var total = 0;
        while (!ended)
        {
            var status = engine.Read(into[total..], out var count);
            if (status == TlsStatus.Done)
            {
                if (readWaits) Readable.Latch(); // It was cleared though there may be more beneath.
                readWaits = false;
                if (inner.CrossesWakes) Uncross(ref writeWaits, Writable);
                total += count;
                if (total < into.Length && (engine.HasPending || Readable.IsSet)) continue;
                if (engine.HasPending) Readable.Latch();
                return IoResult.Some(total);
            }

            if (status == TlsStatus.WantWrite) Cross(ref readWaits, Readable);
            else if (status == TlsStatus.End) ended = true;
            else if (status != TlsStatus.WantRead) broken = true;
            if (total > 0)
            {
                if (ended || broken) Readable.Latch();
                return IoResult.Some(total);
            }

            if (ended) break;
            return broken ? IoResult.Reset : IoResult.WouldBlock;
        }

        Gone.Latch();
        return IoResult.End;
    }

    public override IoStatus TryConfirm()
    {
        if (IsClosed || broken) return IoStatus.Reset;
        switch (engine.Confirm())
        {
            case TlsStatus.Done:
                if (engine.HasPending) Readable.Latch(); // It came with the handshake's end.
                return IoStatus.Some;
            case TlsStatus.WantRead:
                return IoStatus.WouldBlock;
            case TlsStatus.WantWrite:
                Cross(ref readWaits, Readable);
                return IoStatus.WouldBlock;
            default:
                broken = true;
                return IoStatus.Reset;
        }
    }

    public override IoResult TryWrite(ReadOnlySpan<byte> bytes) => TryWrite(bytes, default);

    public override IoResult TryWrite(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third = default)
    {
        if (IsClosed || broken || endSaid) return IoResult.Reset;
        var offered = Math.Min(first.Length + second.Length + third.Length, MostAtOnce * mostPiece);
        if (offered == 0) return IoResult.WouldBlock;
        var wasReadable = Readable.IsSet;
        var taken = 0;
        var status = GoOn(offered, ref taken);
        if (status == TlsStatus.Done) status = Write(offered, ref taken, first, second, third);
        isSlow = status != TlsStatus.Done;
        if (taken > 0 && inner.CrossesWakes)
        {
            writeWaits = false;
            Uncross(ref readWaits, Readable);
        }

        // What it read while it waited for the peer's word.
        if (wasReadable && !Readable.IsSet && engine.HasPending) Readable.RaiseLater();
        if (status == TlsStatus.WantRead) Cross(ref writeWaits, Writable);
        else if (status is not (TlsStatus.Done or TlsStatus.WantWrite or TlsStatus.WantWriteFirst)) broken = true;
        if (taken > 0) return IoResult.Some(taken);
        return broken ? IoResult.Reset : IoResult.WouldBlock;
    }

    public override int ConnectError() => inner.ConnectError();

    public override bool ShutdownWrite()
    {
        if (IsClosed) return true;
        if (!SayEnd()) return false;
        return inner.ShutdownWrite();
    }

    public override void Close(bool reset = false)
    {
        if (IsClosed) return;
        IsClosed = true;
        if (!reset && !IsBroken) SayEnd();
        engine.Free();
        inner.Close(reset);
    }

    private static byte[] Staging => staging ??= new byte[TlsEngine.MostWritten];

    // A record's worth from a position of the three pieces: where it lies if it is in one, else gathered.
    private ReadOnlySpan<byte> Next(int at, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        if (at >= first.Length)
        {
            at -= first.Length;
            first = second;
            second = third;
            third = default;
            if (at >= first.Length)
            {
                at -= first.Length;
                first = second;
                second = default;
            }
        }

        first = first[at..];
        if (first.Length >= mostPiece) return first[..mostPiece];
        if (second.IsEmpty && third.IsEmpty) return first;
        var to = Staging.AsSpan(0, mostPiece);
        first.CopyTo(to);
        var length = first.Length;
        length += Append(second, to[length..]);
        length += Append(third, to[length..]);
        return to[..length];
    }

    private static int Append(ReadOnlySpan<byte> from, Span<byte> to)
    {
        var count = Math.Min(from.Length, to.Length);
        from[..count].CopyTo(to);
        return count;
    }

    // The record that is on its way first.
    private TlsStatus GoOn(int offered, ref int taken)
    {
        if (committed == 0) return TlsStatus.Done;
        var status = engine.Write(Spent.AsSpan(0, committed));
        if (status != TlsStatus.Done) return status;
        committed = 0;
        taken = Math.Min(held, offered);
        return status;
    }

    private TlsStatus Write(int offered, ref int taken, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        var status = TlsStatus.Done;
        var isBatch = offered - taken > mostPiece && !isSlow;
        if (isBatch) engine.BeginBatch();
        while (taken < offered && status == TlsStatus.Done)
        {
            var piece = Next(taken, first, second, third);
            if (piece.Length > offered - taken) piece = piece[..(offered - taken)];
            status = engine.Write(piece);
            if (status == TlsStatus.Done) taken += piece.Length;
            else if (status == TlsStatus.WantWrite) taken += Commit(piece.Length, piece.Length);
        }

        // Where it stopped early too: what was gathered is told as taken.
        if (!isBatch) return status;
        var flushed = engine.Flush();
        if (flushed == TlsStatus.WantWrite) taken = Commit(1, taken);
        return flushed == TlsStatus.Done ? status : flushed;
    }

    /// <summary>Something has begun to leave.</summary>
    /// <returns>How many of its bytes are taken.</returns>
    private int Commit(int length, int bytes)
    {
        committed = length;
        held = Math.Min(1, bytes);
        return bytes - held;
    }

    // False where it has no room yet. Within a record it is not said: then the peer sees a break, which it is.
    private bool SayEnd()
    {
        if (endSaid || broken || committed > 0) return true;
        if (engine.SendEnd() == TlsStatus.WantWrite) return false;
        return endSaid = true;
    }

    // The other direction has to come first: until then an event of either wakes both.
    private void Cross(ref bool waits, Signal blocked)
    {
        waits = true;
        inner.CrossesWakes = true;
        blocked.Clear();
    }

    // One direction went on. If the other has waited for that, no event tells it.
    private void Uncross(ref bool waits, Signal blocked)
    {
        if (waits) blocked.RaiseLater();
        waits = false;
        inner.CrossesWakes = readWaits || writeWaits;
    }
}
