// weir check: every mistake of a configuration at once. Compiles as a start would, without listening.

using System.CommandLine;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Control.Discovery;

namespace Weir.Cli;

internal static class CheckCommand
{
    public static Command Make()
    {
        var file = new Argument<string?>("file") { Description = "The configuration: a file or a folder of files.", Arity = ArgumentArity.ZeroOrOne };
        var option = new Option<string?>("--config", "-c") { Description = "The same, as run and explain take it." };
        var command = new Command("check", "Tells every mistake of a configuration, with its place.") { file, option };
        command.Validators.Add(parsed =>
        {
            var given = (parsed.GetValue(file) is null ? 0 : 1) + (parsed.GetValue(option) is null ? 0 : 1);
            if (given != 1) parsed.AddError(given == 0 ? "which file? weir check FILE, or weir check -c FILE" : "a file is given twice");
        });
        command.SetAction(parsed => Run((parsed.GetValue(file) ?? parsed.GetValue(option))!));
        return command;
    }

    private static int Run(string file)
    {
        var diagnostics = new Diagnostics();
        var config = ConfigLoader.Draft(file, diagnostics);
        if (!diagnostics.HasErrors) new PlanCompiler(new LiveThings(1), "weir-check").Compile(config!, diagnostics, 1024);
        else if (config is not null) EndpointUrl.CheckNames(config, diagnostics);
        var said = diagnostics.ToString();
        if (said.Length > 0) Console.Error.WriteLine(said);
        if (diagnostics.HasErrors) return ExitCode.Usage;
        Console.WriteLine($"{file}: good; {config!.Sites.Count} sites, {config.Sites.Sum(s => s.Routes.Count)} routes, {config.Upstreams.Count} named upstreams");
        return ExitCode.Good;
    }
}
