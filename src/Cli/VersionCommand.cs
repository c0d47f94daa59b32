// weir version.

using System.CommandLine;
using System.Runtime.InteropServices;
using Weir.Control;

namespace Weir.Cli;

internal static class VersionCommand
{
    public static Command Make()
    {
        var command = new Command("version", "Prints the version.");
        command.SetAction(_ => Console.WriteLine($"weir {ProductVersion.Text} ({RuntimeInformation.RuntimeIdentifier}, {RuntimeInformation.FrameworkDescription})"));
        return command;
    }
}
