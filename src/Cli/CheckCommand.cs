// weir check: every mistake of a configuration at once. Compiles as a start would, without listening.

using System.CommandLine;
using Weir.Control.Compilation;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static class CheckCommand
{
    public static Command Make()
    {
        var file = new Argument<string>("file") { Description = "The configuration: a file or a folder of files." };
        var command = new Command("check", "Tells every mistake of a configuration, with its place.") { file };
        command.SetAction(parsed =>
        {
            var diagnostics = new Diagnostics();
            var config = ConfigLoader.Load(parsed.GetValue(file)!, diagnostics);
            if (config is not null) new PlanCompiler(new LiveThings(1), "weir-check").Compile(config, diagnostics, 1024);
            var said = diagnostics.ToString();
            if (said.Length > 0) Console.Error.WriteLine(said);
            if (diagnostics.HasErrors) return ExitCode.Usage;
            Console.WriteLine($"{parsed.GetValue(file)}: good; {config!.Sites.Count} sites, {config.Sites.Sum(s => s.Routes.Count)} routes, {config.Upstreams.Count} named upstreams");
            return ExitCode.Good;
        });
        return command;
    }
}
