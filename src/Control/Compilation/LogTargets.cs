// Log targets by their names in the configuration.

using Weir.Engine.Observe;

namespace Weir.Control.Compilation;

/// <summary>Opens log targets.</summary>
public static class LogTargets
{
    /// <param name="target">As written in a configuration.</param>
    /// <param name="instead">Where lines go that could not be written; null: they are lost, and counted.</param>
    public static LogTarget Open(string target, LogTarget? instead = null) => target switch
    {
        "stdout" => new StreamTarget(Console.OpenStandardOutput()) { Instead = instead },
        "stderr" => new StreamTarget(Console.OpenStandardError()) { Instead = instead },
        "syslog" => new SyslogTarget("unix:/dev/log", "weir") { Instead = instead },
        _ when target.StartsWith("syslog:", StringComparison.Ordinal) => new SyslogTarget(target[7..], "weir") { Instead = instead },
        _ => new FileTarget(target) { Instead = instead },
    };
}
