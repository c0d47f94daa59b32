// The C library's error number of the calling thread, read through its address: no call between the failing call and
// the reading, so neither the collector nor the runtime can change it.

using System.Runtime.InteropServices;

namespace Weir.Engine.Loops;

/// <summary>Error numbers of Linux, the same on x64 and arm64.</summary>
public static unsafe partial class Errno
{
    public const int PermissionDenied = 1;
    public const int NoEntry = 2;
    public const int Interrupted = 4;
    public const int BadDescriptor = 9;
    public const int Again = 11;
    public const int Invalid = 22;
    public const int NoMemory = 12;
    public const int Access = 13;
    public const int TableFull = 23;
    public const int TooManyFiles = 24;
    public const int NoSpace = 28;
    public const int BrokenPipe = 32;
    public const int AddressInUse = 98;
    public const int AddressNotAvailable = 99;
    public const int NetworkUnreachable = 101;
    public const int ConnectionAborted = 103;
    public const int ConnectionReset = 104;
    public const int NoBuffers = 105;
    public const int TimedOut = 110;
    public const int ConnectionRefused = 111;
    public const int HostUnreachable = 113;
    public const int InProgress = 115;

    [ThreadStatic]
    private static int* location;

    /// <summary>The error of the last C library call on this thread that failed.</summary>
    public static int Last
    {
        get
        {
            var at = location;
            if (at is null) location = at = Location();
            return *at;
        }
    }

    /// <summary>Puts an error number back that clean-up may have changed.</summary>
    internal static void Restore(int error)
    {
        _ = Last;
        *location = error;
    }

    /// <summary>The system's words for an error number, for people.</summary>
    public static string Describe(int error) => Marshal.GetPInvokeErrorMessage(error);

    [LibraryImport("libc", EntryPoint = "__errno_location")]
    private static partial int* Location();
}
