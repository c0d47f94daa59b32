// The program's entry: the commands, one file each.

using System.CommandLine;
using Weir.Cli;

var root = new RootCommand("Weir: a reverse proxy. One address in front of many servers.")
{
    RunCommand.Make(),
    ProxyCommand.Make(),
    CheckCommand.Make(),
    ExplainCommand.Make(),
    SchemaCommand.Make(),
    ControlCommands.Reload(),
    ControlCommands.Status(),
    TopCommand.Make(),
    ControlCommands.Drain(),
    MemberCommands.Weight(),
    MemberCommands.Endpoints(),
    CertCommand.Make(),
    CacheCommand.Make(),
    LabCommand.Make(),
    GetCommand.Make(),
    VersionCommand.Make(),
};
var parsed = root.Parse(args);
if (parsed.Errors.Count == 0) return parsed.Invoke();
foreach (var error in parsed.Errors) Console.Error.WriteLine($"weir: {error.Message}");
Console.Error.WriteLine("weir: see weir --help");
return ExitCode.Usage;
