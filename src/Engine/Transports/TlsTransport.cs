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
    // Of a write; the rest is offered again.
    private const int MostAtOnce = 5 * TlsEngine.MostWritten;

    [ThreadStatic]
    private static byte[]? staging;

    private readonly Transport inner;
    private readonly TlsEngine engine;
    private int committed; // The length of the record that is on its way.
    private bool ended;
    private bool broken;
    private bool isSlow; // Its last write found no room for all: one record at a time, so that little waits encrypted.

    public TlsTransport(Transport inner, TlsEngine engine)
        : base(inner)
    {
        this.inner = inner;
        this.engine = engine;
        if (engine.HasPending) Readable.Latch();
    }

    public override NetworkAddress Remote => inner.Remote;

    public override NetworkAddress Local => inner.Local;

    public override int LocalPort => inner.LocalPort;

    public override bool IsBroken => broken || inner.IsBroken;

    public override TlsFacts? Tls => engine.Facts;

    // Tickets and the like are not the peer's words.
    public override bool HasUnasked => Gone.IsSet || (Readable.IsSet && engine.Peek());

    public override IoResult TryRead(Span<byte> into)
    {
        if (IsClosed || broken) return IoResult.Reset;
        var total = 0;
        while (!ended)
        {
            var status = engine.Read(into[total..], out var count);
            if (status == TlsStatus.Done)
            {
                if (inner.CrossesWakes) inner.CrossesWakes = false;
                total += count;
                if (total < into.Length && (engine.HasPending || Readable.IsSet)) continue;
                if (engine.HasPending) Readable.Latch(); // No event tells of what was read ahead.
                return IoResult.Some(total);
            }

            if (status == TlsStatus.WantWrite) Cross(Readable);
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

    public override IoResult TryWrite(ReadOnlySpan<byte> bytes) => TryWrite(bytes, default);

    public override IoResult TryWrite(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third = default)
    {
        if (IsClosed || broken) return IoResult.Reset;
        var offered = Math.Min(first.Length + second.Length + third.Length, MostAtOnce);
        var taken = 0;
        if (committed > 0)
        {
            var status = engine.Write(Staging.AsSpan(0, committed));
            if (status != TlsStatus.Done) return Stopped(status, 0);
            committed = 0;
            taken = Math.Min(1, offered);
        }

        var isBatch = offered - taken > TlsEngine.MostWritten && !isSlow;
        if (isBatch) engine.BeginBatch();
        while (taken < offered)
        {
            var piece = Next(taken, first, second, third);
            if (piece.Length > offered - taken) piece = piece[..(offered - taken)];
            var status = engine.Write(piece);
            if (status == TlsStatus.WantWrite) committed = piece.Length;
            if (status != TlsStatus.Done) return Stopped(status, taken + Math.Max(0, committed - 1));
            taken += piece.Length;
        }

        if (isBatch && engine.Flush() is var flushed && flushed != TlsStatus.Done)
        {
            if (flushed == TlsStatus.WantWrite) committed = 1;
            return Stopped(flushed, taken - committed);
        }

        isSlow = false;
        return IoResult.Some(taken);
    }

    public override int ConnectError() => inner.ConnectError();

    public override void ShutdownWrite()
    {
        if (IsClosed) return;
        if (!broken) engine.SendEnd();
        inner.ShutdownWrite();
    }

    public override void Close(bool reset = false)
    {
        if (IsClosed) return;
        IsClosed = true;
        if (!reset && !IsBroken && committed == 0) engine.SendEnd();
        engine.Free();
        inner.Close(reset);
    }

    private static byte[] Staging => staging ??= new byte[TlsEngine.MostWritten];

    // A record's worth from a position of the three pieces: where it lies if it is in one, else gathered.
    private static ReadOnlySpan<byte> Next(int at, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
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
        if (first.Length >= TlsEngine.MostWritten) return first[..TlsEngine.MostWritten];
        if (second.IsEmpty && third.IsEmpty) return first;
        var to = Staging.AsSpan();
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

    private IoResult Stopped(TlsStatus status, int taken)
    {
        isSlow = true;
        if (status == TlsStatus.WantRead) Cross(Writable);
        else if (status != TlsStatus.WantWrite) broken = true;
        if (taken > 0) return IoResult.Some(taken);
        return broken ? IoResult.Reset : IoResult.WouldBlock;
    }

    // The other direction has to come first: until then an event of either wakes both.
    private void Cross(Signal blocked)
    {
        inner.CrossesWakes = true;
        blocked.Clear();
    }
}
