// Programs of the distribution, run to their end.

using System.Diagnostics;

namespace Weir.Tests.Support;

/// <summary>What a command came to.</summary>
public sealed record Outcome(int Code, string Output, string Error);

/// <summary>Runs a program. It must be there: a test without it has shown nothing, so its absence throws.</summary>
public static class Command
{
    /// <summary>Runs it to its end, or kills it and what it started when the time is over.</summary>
    public static Outcome Run(string program, IEnumerable<string> arguments, string? folder = null, TimeSpan? patience = null, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? Path.GetTempPath() };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(patience ?? TimeSpan.FromSeconds(60))) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        return new Outcome(process.ExitCode, output.Result, error.Result);
    }
}
