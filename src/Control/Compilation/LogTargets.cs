// Log targets by their names in the configuration.

using Weir.Engine.Observe;

namespace Weir.Control.Compilation;

/// <summary>Opens log targets.</summary>
public static class LogTargets
{
    public static LogTarget Open(string target) => target switch
    {
        "stdout" => new StreamTarget(Console.OpenStandardOutput()),
        "stderr" => new StreamTarget(Console.OpenStandardError()),
        "syslog" => new SyslogTarget("unix:/dev/log", "weir"),
        _ when target.StartsWith("syslog:", StringComparison.Ordinal) => new SyslogTarget(target[7..], "weir"),
        _ => new FileTarget(target),
    };
}
