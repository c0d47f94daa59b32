// What the kernel says about a process and its children: processor time and memory.

using System.Globalization;

namespace Weir.Bench.SideBySide;

/// <summary>Processor time, in microseconds.</summary>
internal readonly record struct Cpu(double User, double Kernel)
{
    public double Total => User + Kernel;

    public static Cpu operator -(Cpu a, Cpu b) => new(a.User - b.User, a.Kernel - b.Kernel);
}

/// <summary>Memory, in bytes: of a family of processes together.</summary>
internal readonly record struct Memory(long Resident, long Private);

internal static class Processes
{
    // /proc counts in ticks of 10 ms (USER_HZ is 100 on every Linux): measurements last long enough for that.
    private const double TickMicroseconds = 10_000;

    /// <summary>A process and everything below it.</summary>
    public static IEnumerable<int> Family(int pid)
    {
        yield return pid;
        foreach (var task in List($"/proc/{pid}/task"))
        {
            foreach (var child in Read($"{task}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                foreach (var member in Family(int.Parse(child, CultureInfo.InvariantCulture))) yield return member;
            }
        }
    }

    /// <summary>All threads, those that have ended included.</summary>
    public static Cpu CpuOf(int pid)
    {
        double user = 0, kernel = 0;
        foreach (var member in Family(pid))
        {
            var stat = Read($"/proc/{member}/stat");
            if (stat.Length == 0) continue;
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            user += long.Parse(fields[11], CultureInfo.InvariantCulture) * TickMicroseconds;
            kernel += long.Parse(fields[12], CultureInfo.InvariantCulture) * TickMicroseconds;
        }

        return new Cpu(user, kernel);
    }

    /// <summary>How long a processor has been busy, with whatever, in microseconds.</summary>
    public static double BusyTime(int cpu)
    {
        var line = Read("/proc/stat").Split('\n').First(l => l.StartsWith($"cpu{cpu} ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // user nice system idle iowait irq softirq steal
        return ((int[])[1, 2, 3, 6, 7, 8]).Sum(i => double.Parse(line[i], CultureInfo.InvariantCulture)) * TickMicroseconds;
    }

    public static Memory MemoryOf(int pid)
    {
        long resident = 0, own = 0;
        foreach (var member in Family(pid))
        {
            foreach (var line in Read($"/proc/{member}/smaps_rollup").Split('\n'))
            {
                if (line.StartsWith("Rss:", StringComparison.Ordinal)) resident += KiB(line);
                else if (line.StartsWith("Private_Clean:", StringComparison.Ordinal) || line.StartsWith("Private_Dirty:", StringComparison.Ordinal)) own += KiB(line);
            }
        }

        return new Memory(resident * 1024, own * 1024);
    }

    /// <summary>Processors this process may use.</summary>
    public static int[] AllowedCpus()
    {
        var line = Read("/proc/self/status").Split('\n').First(l => l.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal));
        return [.. line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim().Split(',').SelectMany(range =>
        {
            var ends = range.Split('-').Select(int.Parse).ToArray();
            return Enumerable.Range(ends[0], ends[^1] - ends[0] + 1);
        })];
    }

    private static long KiB(string line) => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);

    // A process may end between one look and the next.
    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string[] List(string path) => Directory.Exists(path) ? Directory.GetDirectories(path) : [];
}
