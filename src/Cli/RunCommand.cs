// weir run: serves what a configuration says, until told to stop. Without a file, the embedded default: a proxy on :8080
// in front of two sample origins of its own.

using System.CommandLine;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static class RunCommand
{
    public static Command Make()
    {
        var file = new Option<string?>("--config", "-c") { Description = "The configuration: a file or a folder of files." };
        var command = new Command("run", "Serves what a configuration says; without one, a demonstration on :8080.") { file };
        command.SetAction(parsed => parsed.GetValue(file) is { } path
            ? Serve.Run(diagnostics => ConfigLoader.Load(path, diagnostics), path)
            : Demonstration.Run());
        return command;
    }
}
