// The deterministic stand-in for OpenSSL: nothing is secret, all else is as with the real one. It keeps the contract to the
// letter, and fails loudly where its user does not: a piece of another length while one is on its way, a call after Free.
//
// A record: kind, length (2), number, bytes, check. One that is lost, doubled, cut or within another is seen by who reads it.
//   client   Hello           Finished
//   server         [Again]            Greeting     then Tickets; Data, Ask and Answer, Alert, End in either direction

using System.Buffers.Binary;
using System.Text;

namespace Weir.Engine.Transports.Simulation;

/// <summary>A <see cref="TlsEngine"/> of a simulated world.</summary>
public sealed class SimulatedTlsEngine : TlsEngine
{
    private const int HeadBytes = 4;
    private const int MostRecord = HeadBytes + MostWritten + 1;

    private readonly TlsLedger ledger;
    private readonly Transport over;
    private readonly bool isServer;
    private readonly ByteQueue arrived = new();  // Records, whole or not.
    private readonly ByteQueue readable = new(); // Data of records that were opened.
    private readonly ByteQueue leaving = new();  // Records that found no room yet.
    private byte[] name;
    private byte sent;
    private byte received;
    private Step step;
    private int underWay; // The length of a write that is on its way.
    private bool isBatch;
    private bool isRest; // Of a batch: the next write goes on with it.
    private bool awaitsAnswer;
    private bool owesAnswer;
    private bool hasSuspended;
    private bool isSuspended;
    private bool peerEnded;
    private bool endSaid;
    private bool failed;
    private bool freed;

    internal SimulatedTlsEngine(TlsLedger ledger, Transport over, string? name)
    {
        (this.ledger, this.over, isServer, this.name) = (ledger, over, name is null, Encoding.ASCII.GetBytes(name ?? ""));
        ledger.Made++;
        ledger.Live++;
    }

    private enum Step
    {
        Begin,
        Hello,
        Finished,
        Last,
        Done,
    }

    private enum Kind : byte
    {
        Hello = 0xc1,
        Again,
        Greeting,
        Finished,
        Data,
        Ticket,
        Ask,
        Answer,
        Alert,
        End,
    }

    public override TlsFacts Facts => new() { Version = "SIMv1"u8.ToArray(), Cipher = "SIM_NULL"u8.ToArray(), Protocol = "http/1.1"u8.ToArray(), ServerName = name };

    public override bool HasPending
    {
        get
        {
            Check();
            return readable.Length > 0 || arrived.Length > 0 || peerEnded;
        }
    }

    private TlsWhims Whims => ledger.Whims;

    public override TlsStatus Handshake()
    {
        Check();
        while (true)
        {
            if (failed) return TlsStatus.Failed;
            if (step == Step.Done) return TlsStatus.Done;
            if (isSuspended) return TlsStatus.Suspended;
            var status = SendLeaving();
            if (status != TlsStatus.Done) return status;
            if (step == Step.Last)
            {
                step = Step.Done;
                continue;
            }

            if (step == Step.Begin && !isServer)
            {
                Put(Kind.Hello, name);
                step = Step.Hello;
                continue;
            }

            status = Next(out var kind, out var bytes);
            if (status != TlsStatus.Done) return status;
            if (isServer) Serve(kind, bytes);
            else Ask(kind);
        }
    }

    public override TlsStatus Read(Span<byte> into, out int count)
    {
        Check();
        if (into.IsEmpty) throw new InvalidOperationException("a read into nothing");
        count = 0;
        if (failed) return TlsStatus.Failed;
        var status = Open();
        if (status != TlsStatus.Done) return status;
        count = readable.Take(into);
        return TlsStatus.Done;
    }

    public override TlsStatus Write(ReadOnlySpan<byte> piece)
    {
        Check();
        if (failed) return TlsStatus.Failed;
        if (piece.IsEmpty || piece.Length > MostWritten) throw new InvalidOperationException($"a piece of {piece.Length} bytes");
        if (endSaid) throw new InvalidOperationException("a write after the end was told");
        if (underWay > 0 || isRest)
        {
            if (!isRest && piece.Length != underWay) throw new InvalidOperationException($"a piece of {piece.Length} bytes where one of {underWay} is on its way");
            var gone = SendLeaving();
            if (gone == TlsStatus.Done) (underWay, isRest) = (0, false);
            return gone;
        }

        // Messages of the protocol go first, or with it.
        if (!isBatch && leaving.Length > 0 && ledger.World.Random.Next(2) == 0 && SendLeaving() is var first && first != TlsStatus.Done) return first == TlsStatus.WantWrite ? TlsStatus.WantWriteFirst : first;

        if (ledger.World.Chance(Whims.Alerts))
        {
            ledger.Broken++;
            Put(Kind.Alert, []);
            _ = SendLeaving();
            return Fail(TlsTrouble.Protocol, "a whim");
        }

        if (!awaitsAnswer && !peerEnded && ledger.World.Chance(Whims.NeedsAnswer))
        {
            awaitsAnswer = true;
            Put(Kind.Ask, []);
        }

        if (awaitsAnswer)
        {
            if (!isBatch) _ = SendLeaving();
            var status = ReadForAnswer();
            if (status != TlsStatus.Done) return status;
        }

        PutData(piece);
        if (isBatch) return TlsStatus.Done;
        var left = SendLeaving();
        if (left == TlsStatus.WantWrite) underWay = piece.Length;
        return left;
    }

    public override void BeginBatch()
    {
        Check();
        if (isBatch || underWay > 0 || isRest) throw new InvalidOperationException("a batch while something is on its way");
        isBatch = true;
    }

    public override TlsStatus Flush()
    {
        Check();
        if (!isBatch) throw new InvalidOperationException("no batch is open");
        isBatch = false;
        if (failed) return TlsStatus.Failed;
        var status = SendLeaving();
        isRest = status == TlsStatus.WantWrite;
        return status;
    }

    public override bool Peek()
    {
        Check();
        return failed || Open() != TlsStatus.WantRead;
    }

    public override TlsStatus SendEnd()
    {
        Check();
        if (failed) return TlsStatus.Failed;
        if (underWay > 0 || isRest || isBatch) throw new InvalidOperationException("an end within a record");
        if (!endSaid)
        {
            endSaid = true;
            if (ledger.World.Chance(Whims.ForgetsEnd)) ledger.Broken++;
            else if (ledger.World.Chance(Whims.CutsRecord)) PutHalf();
            else Put(Kind.End, []);
        }

        return SendLeaving();
    }

    public override void Free()
    {
        Check();
        freed = true;
        if (isSuspended) ledger.Suspended--;
        ledger.Live--;
    }

    private void Check()
    {
        if (freed) throw new InvalidOperationException("a call after the engine was freed");
    }

    private void Serve(Kind kind, byte[] bytes)
    {
        if (step == Step.Begin && kind == Kind.Hello)
        {
            name = bytes;
            if (ledger.World.Chance(Whims.Refuses))
            {
                ledger.Broken++;
                Put(Kind.Alert, []);
                _ = SendLeaving();
                _ = Fail(TlsTrouble.UnknownName, "no certificate for that name");
                return;
            }

            if (!hasSuspended && ledger.World.Chance(Whims.Suspends)) Suspend();
            if (ledger.World.Chance(Whims.AsksAgain))
            {
                Put(Kind.Again, []);
                return;
            }

            Put(Kind.Greeting, new byte[ledger.World.Random.Next(1, 3000)]);
            step = Step.Finished;
        }
        else if (step == Step.Finished && kind == Kind.Finished)
        {
            step = Step.Done;
            while (ledger.World.Chance(Whims.Tickets)) Put(Kind.Ticket, new byte[ledger.World.Random.Next(300)]);
            _ = SendLeaving(); // What finds no room goes with what is written next.
        }
        else
        {
            _ = Fail(TlsTrouble.Protocol, $"{kind} where it has no place");
        }
    }

    // The hello is answered when this is over.
    private void Suspend()
    {
        hasSuspended = isSuspended = true;
        ledger.Suspended++;
        ledger.World.After(ledger.World.Random.Next(1, Whims.MostSuspended * 1000), () =>
        {
            if (freed) return;
            isSuspended = false;
            ledger.Suspended--;
            Resumed.RaiseLater();
        });
    }

    private void Ask(Kind kind)
    {
        if (step == Step.Hello && kind == Kind.Again)
        {
            Put(Kind.Hello, name);
        }
        else if (step == Step.Hello && kind == Kind.Greeting)
        {
            Put(Kind.Finished, new byte[30]);
            step = Step.Last;
        }
        else
        {
            _ = Fail(kind == Kind.Alert ? TlsTrouble.UnknownName : TlsTrouble.Protocol, $"{kind} in a handshake");
        }
    }

    // Opens records until there are bytes to read. An answer that is asked for leaves before anything more is read, unless a
    // write is on its way, which goes first.
    private TlsStatus Open()
    {
        while (readable.Length == 0)
        {
            if (peerEnded) return TlsStatus.End;
            var status = owesAnswer && underWay == 0 && !isRest ? SendLeaving() : TlsStatus.Done;
            if (status != TlsStatus.Done) return status;
            status = Next(out var kind, out var bytes);
            if (status != TlsStatus.Done) return status;
            Take(kind, bytes);
            if (failed) return TlsStatus.Failed;
        }

        return TlsStatus.Done;
    }

    private TlsStatus ReadForAnswer()
    {
        while (awaitsAnswer && !peerEnded)
        {
            var status = Next(out var kind, out var bytes);
            if (status != TlsStatus.Done) return status;
            Take(kind, bytes);
            if (failed) return TlsStatus.Failed;
            if (!isBatch) _ = SendLeaving();
        }

        awaitsAnswer = false;
        return TlsStatus.Done;
    }

    private void Take(Kind kind, byte[] bytes)
    {
        switch (kind)
        {
            case Kind.Data:
                readable.Add(bytes);
                break;
            case Kind.Ask:
                if (endSaid) break;
                Put(Kind.Answer, []);
                owesAnswer = true;
                break;
            case Kind.Answer:
                awaitsAnswer = false;
                break;
            case Kind.End:
                peerEnded = true;
                break;
            case Kind.Ticket when !isServer:
                break;
            default:
                _ = Fail(TlsTrouble.Protocol, $"{kind} came");
                break;
        }
    }

    // The next whole record. What comes after the peer's end is nobody's.
    private TlsStatus Next(out Kind kind, out byte[] bytes)
    {
        (kind, bytes) = (default, []);
        Span<byte> room = stackalloc byte[4096];
        while (true)
        {
            var need = HeadBytes + 1;
            if (arrived.Length >= 1 && arrived[0] is >= (byte)'A' and <= (byte)'Z') return Fail(TlsTrouble.PlainHttp, "plain HTTP");
            if (arrived.Length >= HeadBytes)
            {
                need += (arrived[1] << 8) | arrived[2];
                if (need > MostRecord) return Fail(TlsTrouble.Protocol, "a record too long");
                if (arrived.Length >= need) return Unpack(need, out kind, out bytes);
            }

            var got = over.TryRead(Whims.ReadsAhead ? room : room[..Math.Min(room.Length, need - arrived.Length)]);
            if (got.Status == IoStatus.WouldBlock) return TlsStatus.WantRead;
            if (got.Status != IoStatus.Some) return Fail(TlsTrouble.Broken, "the connection broke or ended");
            arrived.Add(room[..got.Count]);
        }
    }

    private TlsStatus Unpack(int length, out Kind kind, out byte[] bytes)
    {
        var record = new byte[length];
        _ = arrived.Take(record);
        kind = (Kind)record[0];
        bytes = record[HeadBytes..^1];
        if (record[3] != received++ || record[^1] != Sum(bytes)) return Fail(TlsTrouble.Protocol, "a bad record");
        return TlsStatus.Done;
    }

    private void PutData(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            while (isServer && ledger.World.Chance(Whims.Tickets / 4)) Put(Kind.Ticket, new byte[20]);
            var count = ledger.World.Chance(Whims.SplitsRecords) ? ledger.World.Random.Next(0, bytes.Length + 1) : bytes.Length;
            Put(Kind.Data, bytes[..count]);
            bytes = bytes[count..];
        }
    }

    private void Put(Kind kind, ReadOnlySpan<byte> bytes)
    {
        Span<byte> head = [(byte)kind, 0, 0, sent++];
        BinaryPrimitives.WriteUInt16BigEndian(head[1..], (ushort)bytes.Length);
        leaving.Add(head);
        leaving.Add(bytes);
        leaving.Add([Sum(bytes)]);
    }

    private void PutHalf()
    {
        ledger.Broken++;
        leaving.Add([(byte)Kind.Data, 0, 10, sent++, 1, 2, 3]);
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0x5a;
        foreach (var b in bytes) sum = (byte)((sum * 31) + b);
        return sum;
    }

    private TlsStatus SendLeaving()
    {
        while (leaving.Length > 0)
        {
            var gone = over.TryWrite(leaving.Filled);
            if (gone.Status == IoStatus.WouldBlock) return TlsStatus.WantWrite;
            if (gone.Status != IoStatus.Some) return Fail(TlsTrouble.Broken, "the connection broke");
            leaving.Drop(gone.Count);
        }

        owesAnswer = false;
        return TlsStatus.Done;
    }

    private TlsStatus Fail(TlsTrouble trouble, string text)
    {
        failed = true;
        if (Trouble == TlsTrouble.None) (Trouble, TroubleText) = (trouble, text);
        return TlsStatus.Failed;
    }

    private sealed class ByteQueue
    {
        private byte[] bytes = [];
        private int start;

        public int Length { get; private set; }

        public ReadOnlySpan<byte> Filled => bytes.AsSpan(start, Length);

        public byte this[int at] => bytes[start + at];

        public void Add(ReadOnlySpan<byte> more)
        {
            if (start + Length + more.Length > bytes.Length)
            {
                var room = Length + more.Length <= bytes.Length / 2 ? bytes : new byte[Math.Max(256, 2 * (Length + more.Length))];
                Filled.CopyTo(room);
                (bytes, start) = (room, 0);
            }

            more.CopyTo(bytes.AsSpan(start + Length));
            Length += more.Length;
        }

        public int Take(Span<byte> into)
        {
            var count = Math.Min(into.Length, Length);
            Filled[..count].CopyTo(into);
            Drop(count);
            return count;
        }

        public void Drop(int count)
        {
            start += count;
            Length -= count;
            if (Length == 0) (bytes, start) = ([], 0);
        }
    }
}
