// What the program's exit tells.

namespace Weir.Cli;

internal static class ExitCode
{
    public const int Good = 0;

    /// <summary>The thing asked for failed.</summary>
    public const int Failed = 1;

    /// <summary>Wrong usage or configuration.</summary>
    public const int Usage = 2;
}
