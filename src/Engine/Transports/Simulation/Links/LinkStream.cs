// One direction of a connection: the bytes, and the sender that moves them as TCP would. Pieces of a window travel together
// where the window is large, packet by packet where it is small; each packet's loss is drawn by itself. Selective
// acknowledgements, which are never lost, tell the sender what is missing (RFC 6675, RFC 8985); timeouts come where nothing
// is left that could tell (RFC 6298). Times are microseconds.

namespace Weir.Engine.Transports.Simulation.Links;

internal sealed class LinkStream(Link link, LinkWay way, LinkTransport sender, LinkTransport receiver)
{
    /// <summary>Bytes of a packet: an Ethernet frame without IP, TCP and its timestamps.</summary>
    public const int Segment = 1448;

    // A window moves in so many pieces at least; a piece is one packet at least.
    private const int PiecesOfWindow = 8;
    private const int MostPackets = 64;
    private const int LeastBuffer = 128 << 10;
    private const long LeastTimeout = 200_000;
    private const long MostTimeout = 120_000_000;
    private const int DuplicatesThatTell = 3;

    private readonly SimulatedWorld world = link.World;
    private readonly LinkSettings settings = link.Settings;
    private readonly CongestionWindow window = CongestionWindow.Of(link.Settings.Control);
    private readonly ByteRing bytes = new();
    private readonly Ranges ahead = new(); // Has arrived behind something that is missing.
    private readonly List<Piece> underWay = []; // In the order in which it was sent.
    private readonly Queue<(long Start, int Length)> again = new();
    private bool isOpen;
    private bool isStopped;
    private bool isPaceArmed;
    private bool isEndSent;
    private bool wantsRoom;
    private bool isWindowUsed;
    private bool isProbed;
    private int backOff;
    private int gone; // Pieces at the list's beginning that are done with.
    private int alive; // Pieces under way that will arrive.
    private long written;
    private long next; // The first byte that was never sent.
    private long inFlight;
    private long arrived;
    private long read;
    private long told; // Up to where the sender may send, as the receiver said last.
    private long allowed = link.Settings.Window; // The same, as the sender knows it.
    private Piece? latest; // The last that came, and when.
    private long latestAt;
    private long acknowledged;
    private long recovered; // Until so much is acknowledged the window has shrunk already.
    private long lastSent;
    private long timer;
    private double paceFree;
    private double roundTrip = link.Settings.RoundTrip;

    /// <summary>Whether the sender has said that no more comes.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>Whether the receiver has read all, and knows that it is all.</summary>
    public bool HasEnded { get; private set; }

    public bool HasUnread => arrived > read;

    private long Room => Math.Clamp((long)(2 * window.Segments * Segment), LeastBuffer, settings.SendBuffer);

    private long TimeoutAfter => Math.Min((long)roundTrip + LeastTimeout, MostTimeout) << Math.Min(backOff, 8);

    /// <summary>The handshake is over.</summary>
    public void Open()
    {
        isOpen = true;
        Send();
    }

    public void Stop() => isStopped = true;

    /// <summary>Takes what the send buffer has room for.</summary>
    public int Write(ReadOnlySpan<byte> from)
    {
        var count = (int)Math.Clamp(Room - (written - acknowledged), 0, from.Length);
        bytes.Add(from[..count]);
        written += count;
        wantsRoom |= count < from.Length;
        return count;
    }

    public void End()
    {
        IsEnding = true;
        Send();
    }

    public int Read(Span<byte> into)
    {
        var count = (int)Math.Min(into.Length, arrived - read);
        bytes.Take(into[..count]);
        read += count;
        // What is read at once rides on the acknowledgement; what is read much later has none to ride on.
        if (latest is not null && latestAt == world.Now) latest.Allows = told = read + settings.Window;
        else if (read + settings.Window - told >= settings.Window / 4) Advertise();
        return count;
    }

    /// <summary>Sends what may be sent now.</summary>
    public void Send()
    {
        if (!isOpen || isStopped) return;
        if (inFlight == 0 && world.Now - lastSent > TimeoutAfter && lastSent > 0) window.Age((world.Now - lastSent) / TimeoutAfter);
        isWindowUsed = false;
        while (Sendable() is > 0 and var most)
        {
            if (paceFree > world.Now)
            {
                Pace();
                break;
            }

            var free = (long)(window.Segments * Segment) - inFlight;
            isWindowUsed = free < Math.Min(most, Segment);
            if (isWindowUsed) break;
            var packets = Math.Clamp((int)(window.Segments / PiecesOfWindow), 1, MostPackets);
            SendPiece((int)Math.Min(most, Segment * Math.Clamp(free / Segment, 1, packets)));
        }

        if (IsEnding && !isEndSent && next == written && again.Count == 0) SendEnd();
        ArmTimer();
    }

    private long Sendable() => again.TryPeek(out var lost) ? lost.Length : Math.Min(written, allowed) - next;

    private void Pace()
    {
        if (isPaceArmed) return;
        isPaceArmed = true;
        world.After((long)Math.Ceiling(paceFree - world.Now), () =>
        {
            isPaceArmed = false;
            Send();
        });
    }

    private void SendPiece(int most)
    {
        var start = next;
        if (again.TryDequeue(out var lost))
        {
            start = lost.Start;
            var length = Math.Min(most, lost.Length);
            if (length < lost.Length) PutBack((start + length, lost.Length - length));
            most = length;
        }
        else
        {
            next += most;
        }

        if (settings.Rate > 0) paceFree = Math.Max(paceFree, world.Now) + (most * 1e6 / settings.Rate);
        Launch(start, most);
    }

    private void PutBack((long Start, int Length) rest)
    {
        again.Enqueue(rest);
        for (var i = again.Count; i > 1; i--) again.Enqueue(again.Dequeue());
    }

    // Neighbours that share their fate travel as one.
    private void Launch(long start, int length)
    {
        lastSent = world.Now;
        inFlight += length;
        var from = start;
        var (isLost, at) = (false, 0.0);
        for (var offset = start; offset < start + length; offset += Segment)
        {
            var size = (int)Math.Min(Segment, start + length - offset);
            var comes = way.TrySend(size, world.Now, out var leaves);
            if (offset > start && comes == isLost)
            {
                Fly(new Piece(from, (int)(offset - from), isLost, world.Now), at);
                from = offset;
            }

            (isLost, at) = (!comes, leaves);
        }

        Fly(new Piece(from, (int)(start + length - from), isLost, world.Now), at);
    }

    private void Fly(Piece piece, double leaves)
    {
        underWay.Add(piece);
        if (piece.IsLost) return;
        alive++;
        world.After((long)(leaves - world.Now) + (settings.RoundTrip / 2), () => Arrive(piece));
    }

    private void Arrive(Piece piece)
    {
        if (isStopped) return;
        if (receiver.IsClosed)
        {
            receiver.Refuse();
            return;
        }

        var before = arrived;
        arrived = ahead.Add(piece.Start, piece.Start + piece.Length, arrived);
        way.Arrived += arrived - before;
        world.Mix((ulong)arrived);
        if (arrived > before) receiver.Arrived(ends: false);
        (latest, latestAt) = (piece, world.Now);
        piece.Allows = told = read + settings.Window;
        var known = arrived;
        world.After(settings.RoundTrip - (settings.RoundTrip / 2), () => Acknowledge(piece, known));
    }

    private void Advertise()
    {
        told = read + settings.Window;
        var allows = told;
        world.After(settings.RoundTrip - (settings.RoundTrip / 2), () =>
        {
            allowed = Math.Max(allowed, allows);
            Send();
        });
    }

    private void Acknowledge(Piece piece, long known)
    {
        if (isStopped) return;
        if (latest == piece) latest = null;
        allowed = Math.Max(allowed, piece.Allows);
        inFlight -= piece.IsGivenUp ? 0 : piece.Length;
        piece.IsDone = true;
        alive--;
        (backOff, isProbed) = (0, false);
        roundTrip += (world.Now - piece.SentAt - roundTrip) / 8;
        acknowledged = Math.Max(acknowledged, known);
        Notice(piece);
        var isRecovering = acknowledged < recovered;
        if (!isRecovering && (isWindowUsed || (window.IsSlowStart && window.Segments * Segment < 2 * (inFlight + piece.Length)))) window.Grow((double)piece.Length / Segment, world.Now / 1e6, roundTrip / 1e6);
        if (wantsRoom && (Room - (written - acknowledged)) * 3 >= Room)
        {
            wantsRoom = false;
            sender.RoomMade();
        }

        Send();
    }

    // What was sent before and has not come: three that overtook it tell that it is lost, or a quarter of a round trip more.
    private void Notice(Piece told)
    {
        for (var i = gone; i < underWay.Count && underWay[i] != told; i++)
        {
            var piece = underWay[i];
            if (!piece.IsLost || piece.IsDone) continue;
            var isFirst = piece.Overtaken == 0;
            piece.Overtaken += (told.Length + Segment - 1) / Segment;
            if (piece.Overtaken >= DuplicatesThatTell) GiveUp(piece);
            else if (isFirst)
            {
                world.After((long)roundTrip / 4, () =>
                {
                    if (isStopped || piece.IsDone) return;
                    GiveUp(piece);
                    Send();
                });
            }
        }

        while (gone < underWay.Count && underWay[gone].IsDone) gone++;
        if (gone <= 64 || gone * 2 < underWay.Count) return;
        underWay.RemoveRange(0, gone);
        gone = 0;
    }

    private void GiveUp(Piece piece, bool shrinks = true)
    {
        piece.IsDone = piece.IsGivenUp = true;
        inFlight -= piece.Length;
        if (shrinks && piece.Start >= recovered)
        {
            window.Shrink();
            recovered = next;
        }

        if (!ahead.Holds(piece.Start, piece.Start + piece.Length, arrived)) again.Enqueue((piece.Start, piece.Length));
    }

    // Only where nothing is on its way back that would say more.
    private void ArmTimer()
    {
        timer++;
        if (alive > 0 || inFlight == 0) return;
        var (mine, probes) = (timer, !isProbed && backOff == 0 && acknowledged >= recovered);
        var due = lastSent + (probes ? Math.Min(2 * (long)roundTrip, TimeoutAfter) : TimeoutAfter);
        world.After(Math.Max(1, due - world.Now), () =>
        {
            if (isStopped || timer != mine) return;
            if (probes) Probe();
            else TimeOut();
        });
    }

    // RFC 8985 §7: the last packet once more, so that its acknowledgement tells of the others.
    private void Probe()
    {
        isProbed = true;
        var last = underWay[^1];
        var length = Math.Min(last.Length, Segment);
        Launch(last.Start + last.Length - length, length);
        ArmTimer();
    }

    private void TimeOut()
    {
        backOff++;
        for (var i = gone; i < underWay.Count; i++)
        {
            if (!underWay[i].IsDone) GiveUp(underWay[i], shrinks: false);
        }

        window.Collapse();
        recovered = next;
        Send();
    }

    // Rides on the last packet, or goes by itself; it is never lost, and comes behind everything.
    private void SendEnd()
    {
        isEndSent = true;
        world.After(settings.RoundTrip / 2, Conclude);
    }

    private void Conclude()
    {
        if (isStopped) return;
        if (arrived < written)
        {
            world.After(Math.Max(1, settings.RoundTrip / 16), Conclude);
            return;
        }

        HasEnded = true;
        receiver.Arrived(ends: true);
    }

    private sealed class Piece(long start, int length, bool isLost, long sentAt)
    {
        public long Start => start;

        public int Length => length;

        public bool IsLost => isLost;

        public long SentAt => sentAt;

        /// <summary>Up to where the sender may send, as its acknowledgement says.</summary>
        public long Allows { get; set; }

        /// <summary>Packets that were sent later and have come.</summary>
        public int Overtaken { get; set; }

        /// <summary>Whether the sender has taken it out of what is under way.</summary>
        public bool IsGivenUp { get; set; }

        /// <summary>Whether the sender knows its fate.</summary>
        public bool IsDone { get; set; }
    }
}
