// How many connections one answer is fetched over, and how long its segments are: from what is measured. Pure: the clock and the
// counts are told to it.
//
//   one connection, until its rate no longer grows by itself → would more save time? → a few, or all that are allowed where much is
//   left → where a step brought nothing it is taken back, and tried again later, and later each time
//     → an origin that says that it is too much is asked less, for as long as it says

namespace Weir.Engine.Acceleration;

/// <summary>Decides for one answer. Times in ms, rates in bytes a second.</summary>
/// <param name="begun">When the answer began to come.</param>
/// <param name="most">The most connections.</param>
/// <param name="largest">The most bytes of a segment.</param>
/// <param name="smallest">The fewest; the last may be shorter.</param>
internal sealed class Pace(long begun, int most, long largest, long smallest)
{
    /// <summary>How often it is to be asked.</summary>
    public const long Every = 250;

    // What more connections must save, or they are not worth it.
    private const long WorthWhile = 1_000;

    // Where little is left.
    private const int Few = 4;
    private const long Little = 10_000;

    // A connection that begins grows by itself: what it will bring is seen once it grows by less than this, or after so long.
    private const double Growing = 1.4;
    private const long LongestStart = 750;
    private const int StartRoundTrips = 4;

    // A step that brought less than this part of what it might have is taken back.
    private const double Flat = 0.1;

    private const long AgainAfter = 5_000;

    // A client that waits for a smaller part of the time is itself what is slow.
    private const double LeastWaiting = 0.4;

    // A segment lasts so long, and so many round trips: what is lost between two is a few percent of it.
    private const long SegmentTime = 4_000;
    private const int RoundTrips = 25;

    private readonly long startedAt = begun;
    private long since = begun;
    private long receivedThen;
    private int activeThen = 1;
    private double before; // The rate before the last step.
    private int targetBefore;
    private long holdUntil;
    private long dry; // How long its reader has waited since.
    private int refusals;
    private int flats;
    private double start; // The rate of the interval before, while it may still grow.

    /// <summary>How many there should be.</summary>
    public int Target { get; private set; } = 1;

    /// <summary>The rate of all together, as last measured; 0: not yet.</summary>
    public double Rate { get; private set; }

    /// <summary>The best rate that one alone had: what it is compared with.</summary>
    public double SingleRate { get; private set; }

    /// <summary>From a request sent to the first byte of its answer, in ms: the shortest seen; 0: not known.</summary>
    public long RoundTrip { get; private set; }

    /// <summary>A segment's first byte has come.</summary>
    public void Answered(long ms) => RoundTrip = RoundTrip == 0 ? Math.Max(1, ms) : Math.Max(1, Math.Min(RoundTrip, ms));

    /// <summary>The client had to wait for the origin, so long (ms).</summary>
    public void Dry(long waited) => dry += waited;

    /// <summary>The origin asks for less.</summary>
    /// <param name="now">The time.</param>
    /// <param name="active">How many there are.</param>
    /// <param name="until">How long it is asked less.</param>
    public void Throttle(long now, int active, long until)
    {
        Target = Math.Clamp(active - 1, 1, Target);
        if (now >= holdUntil) refusals = Math.Min(refusals + 1, 6); // Those that come together are one.
        holdUntil = Math.Max(holdUntil, now + ((until - now) << (refusals - 1)));
        since = -1;
        targetBefore = 0;
    }

    /// <summary>Looks at what came since the last time.</summary>
    /// <param name="now">The time.</param>
    /// <param name="received">Bytes so far, of all.</param>
    /// <param name="active">Connections at work.</param>
    /// <param name="left">Bytes not yet asked for or on their way.</param>
    public void Look(long now, long received, int active, long left)
    {
        if (since < 0 || active != activeThen)
        {
            // Others are at work than before: what is measured begins anew.
            (since, receivedThen, activeThen, dry) = (now, received, active, 0);
            return;
        }

        var interval = Math.Max(Every, Target == 1 ? 0 : 6 * RoundTrip);
        if (now - since < interval) return;
        var rate = (received - receivedThen) * 1000.0 / (now - since);
        var began = since;
        (since, receivedThen) = (now, received);
        Rate = rate;
        if (active <= 1) SingleRate = Math.Max(SingleRate, rate);
        var isClients = dry < (now - began) * LeastWaiting; // Its own pace is all there is to have.
        dry = 0;
        if (now < holdUntil || isClients || active < Target) return;
        if (targetBefore > 0 && rate < before * (1 + (Flat * (((double)Target / targetBefore) - 1))))
        {
            (Target, targetBefore) = (targetBefore, 0);
            holdUntil = now + (AgainAfter << Math.Min(flats++, 6));
            return;
        }

        if (Target == 1 && IsStarting(now, rate)) return;
        var time = rate <= 0 ? 0 : left * 1000.0 / rate;
        if (Target >= most || time < WorthWhile) return;
        (before, targetBefore) = (rate, Target);
        Target = activeThen = time > Little ? most : Math.Min(most, Math.Max(Few, Target * 2)); // They are asked for at once.
    }

    private bool IsStarting(long now, double rate)
    {
        var isStarting = now - startedAt < Math.Max(LongestStart, StartRoundTrips * RoundTrip) && rate > Growing * start;
        start = rate;
        return isStarting;
    }

    /// <summary>Bytes of the next segment.</summary>
    /// <param name="memory">What all that are under way may hold together.</param>
    /// <param name="left">Bytes that nobody has been asked for: towards the end segments become short, so that all come to it together.</param>
    public long SegmentSize(long memory, long left)
    {
        var own = Rate / Math.Max(1, activeThen);
        var wanted = own <= 0 ? smallest : (long)(own * Math.Max(SegmentTime, RoundTrips * RoundTrip) / 1000);
        return Math.Max(smallest, Math.Min(Math.Min(wanted, largest), Math.Min(memory, left) / Math.Max(1, Target)));
    }
}
