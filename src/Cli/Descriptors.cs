// The limit on descriptors, raised to the hard limit at the start.

using System.Runtime.InteropServices;

namespace Weir.Cli;

internal static unsafe partial class Descriptors
{
    private const int NoFile = 7;

    /// <summary>Raises the soft limit to the hard one, and returns what holds then.</summary>
    public static long Raise()
    {
        var limits = stackalloc ulong[2];
        if (getrlimit(NoFile, limits) != 0) return 1024;
        if (limits[0] < limits[1])
        {
            limits[0] = limits[1];
            _ = setrlimit(NoFile, limits);
            _ = getrlimit(NoFile, limits);
        }

        return (long)Math.Min(limits[0], 10_000_000);
    }

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, ulong* limits);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, ulong* limits);
}
