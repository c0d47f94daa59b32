// The heads of requests of which each asks for something else: a path with a number in it that counts up, or one path after
// the other from a file.

using System.Text;

namespace Weir.Bench.Load;

internal sealed class Heads
{
    private const string Place = "{n}";
    private const int Digits = 10;

    private readonly byte[][]? each;
    private readonly int at;
    private readonly string[]? paths;
    private readonly Work work;
    private long next;

    public Heads(Work work)
    {
        this.work = work;
        if (work.Sequence.Length > 0)
        {
            paths = [.. File.ReadLines(work.Sequence).Skip((int)work.From).Take((int)work.Requests)];
            if (paths.Length < work.Requests) throw new FormatException($"{work.Sequence} has no {work.From} + {work.Requests} lines");
        }
        else if (work.Path.Contains(Place, StringComparison.Ordinal))
        {
            var head = work.HeadFor(work.Path.Replace(Place, new string('0', Digits), StringComparison.Ordinal));
            at = work.Path.IndexOf(Place, StringComparison.Ordinal) + "GET ".Length;
            each = [.. Enumerable.Range(0, work.Connections).Select(_ => head.ToArray())];
            next = work.From;
        }
    }

    /// <summary>Whether there is anything to choose.</summary>
    public bool AreMany => paths is not null || each is not null;

    /// <summary>The next request's head; it is the client's until its request is out.</summary>
    public byte[] Next(int client)
    {
        if (paths is not null) return work.HeadFor(paths[next++]);
        var (head, number) = (each![client], work.Numbers > 0 ? work.From + (next++ % work.Numbers) : next++);
        for (var i = at + Digits - 1; i >= at; i--, number /= 10) head[i] = (byte)('0' + (number % 10));
        return head;
    }
}
