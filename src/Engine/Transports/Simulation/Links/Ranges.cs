// What has arrived ahead of its turn: disjoint ranges in ascending order.

namespace Weir.Engine.Transports.Simulation.Links;

internal sealed class Ranges
{
    private readonly List<(long Start, long End)> ranges = [];

    /// <summary>Adds a range.</summary>
    /// <returns>Up to where everything is there now.</returns>
    public long Add(long start, long end, long complete)
    {
        start = Math.Max(start, complete);
        if (start < end)
        {
            var i = 0;
            while (i < ranges.Count && ranges[i].End < start) i++;
            while (i < ranges.Count && ranges[i].Start <= end)
            {
                (start, end) = (Math.Min(start, ranges[i].Start), Math.Max(end, ranges[i].End));
                ranges.RemoveAt(i);
            }

            ranges.Insert(i, (start, end));
        }

        while (ranges.Count > 0 && ranges[0].Start <= complete)
        {
            complete = Math.Max(complete, ranges[0].End);
            ranges.RemoveAt(0);
        }

        return complete;
    }

    /// <summary>Whether all of a range is there.</summary>
    public bool Holds(long start, long end, long complete) => end <= complete || ranges.Exists(r => r.Start <= Math.Max(start, complete) && r.End >= end);
}
