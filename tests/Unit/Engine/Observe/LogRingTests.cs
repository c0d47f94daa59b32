using CsCheck;
using Weir.Engine.Observe;

namespace Weir.Tests.Unit.Engine.Observe;

public class LogRingTests
{
    [Fact]
    public void A_full_ring_drops_and_counts_until_it_is_emptied()
    {
        var ring = new LogRing(1024);
        var written = 0;
        while (Write(ring, 96, written)) written++;
        Assert.InRange(written, 8, 10);
        Assert.False(Write(ring, 96, -1));
        Assert.Equal(2, ring.Dropped);
        Assert.Equal(Enumerable.Range(0, written), Drain(ring));
        Assert.True(Write(ring, 96, 7));
        Assert.Equal([7], Drain(ring));
        Assert.Empty(Drain(ring));
        Assert.Equal(2, ring.Dropped);
    }

    [Fact]
    public void Records_come_out_whole_and_in_order_however_the_ring_wraps() =>
        // Lengths to be written; 0 empties the ring.
        Gen.OneOf(Gen.Const(0), Gen.Int[4, 200]).List[0, 80].Sample(
            steps =>
            {
                var ring = new LogRing(512);
                var expected = new List<int>();
                var found = new List<int>();
                var dropped = 0;
                foreach (var (i, length) in steps.Index())
                {
                    if (length == 0) found.AddRange(Drain(ring));
                    else if (Write(ring, length, i)) expected.Add(i);
                    else dropped++;
                }

                found.AddRange(Drain(ring));
                Assert.Equal(expected, found);
                Assert.Equal(dropped, ring.Dropped);
                Assert.True(Write(ring, 200, 1)); // Emptied, it has room again wherever it stands.
            },
            iter: 5_000);

    [Fact]
    public void What_one_thread_writes_another_reads_and_what_is_missing_was_counted()
    {
        const int Records = 50_000;
        var ring = new LogRing(4096);
        var written = 0;
        var isDone = false;
        var writer = new Thread(() =>
        {
            var random = new Random(1);
            for (var i = 0; i < Records; i++)
            {
                if (Write(ring, random.Next(4, 120), i)) written++;
            }

            Volatile.Write(ref isDone, true);
        });
        writer.Start();
        var (read, last) = (0, -1);
        while (true)
        {
            var wasDone = Volatile.Read(ref isDone);
            foreach (var number in Drain(ring))
            {
                Assert.True(number > last, $"{number} after {last}");
                last = number;
                read++;
            }

            if (wasDone) break;
            Thread.Yield();
        }

        writer.Join();
        Assert.Equal(written, read);
        Assert.Equal(Records, read + ring.Dropped);
    }

    // A record bears its number, and every further byte follows from it.
    private static bool Write(LogRing ring, int length, int number)
    {
        var room = ring.Reserve(200);
        if (room.IsEmpty) return false;
        BitConverter.TryWriteBytes(room, number);
        for (var i = 4; i < length; i++) room[i] = (byte)(number + i);
        ring.Commit(length);
        return true;
    }

    private static List<int> Drain(LogRing ring)
    {
        var numbers = new List<int>();
        ring.Drain(record =>
        {
            var number = BitConverter.ToInt32(record.Span);
            for (var i = 4; i < record.Length; i++)
            {
                if (record.Span[i] != (byte)(number + i)) Assert.Fail($"byte {i} of record {number} is not its own");
            }

            numbers.Add(number);
        });
        return numbers;
    }
}
