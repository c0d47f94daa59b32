// Where the program keeps what outlives it, and its control socket.

namespace Weir.Cli;

internal static class StateFolder
{
    /// <summary>Where a service keeps its state.</summary>
    public const string OfTheSystem = "/var/lib/weir";

    /// <summary>The default state folder: the service manager's, the user's, or the system's.</summary>
    public static string Path { get; } = Choose();

    /// <summary>The default control socket; null where no folder can be had.</summary>
    public static string? ControlSocket()
    {
        try
        {
            Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return SocketIn(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"weir: warning: no control socket: cannot use the state folder {Path}: {e.Message}");
            return null;
        }
    }

    /// <summary>The control socket in a state folder.</summary>
    public static string SocketIn(string folder) => System.IO.Path.Combine(folder, "weir.sock");

    private static string Choose()
    {
        if (Environment.GetEnvironmentVariable("STATE_DIRECTORY") is { Length: > 0 } service) return service.Split(':')[0];
        if (Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } state) return System.IO.Path.Combine(state, "weir");
        if (Environment.GetEnvironmentVariable("HOME") is { Length: > 1 } home) return System.IO.Path.Combine(home, ".local", "state", "weir");
        return OfTheSystem;
    }
}
