// weir explain: what would become of a request, without sending anything.

using System.CommandLine;
using Weir.Control.Configuration;
using Weir.Control.Explaining;

namespace Weir.Cli;

internal static class ExplainCommand
{
    public static Command Make()
    {
        var method = new Argument<string>("method") { Description = "The method, such as GET." };
        var url = new Argument<string>("url") { Description = "The URL, such as http://example.com/a?b=c." };
        var fields = new Option<string[]>("--header", "-H") { Description = "A field of the request, such as \"accept: text/html\"; may be given several times." };
        var client = new Option<string>("--client") { Description = "The client's address.", DefaultValueFactory = static _ => "127.0.0.1" };
        var file = new Option<string>("--config", "-c") { Description = "The configuration: a file or a folder of files.", Required = true };
        var command = new Command("explain", "Tells which site, route and policies a request would meet, with file and line.") { method, url, fields, client, file };
        command.SetAction(parsed =>
        {
            var diagnostics = new Diagnostics();
            var config = ConfigLoader.Load(parsed.GetValue(file)!, diagnostics);
            var explanation = config is null ? null : Explanation.Of(config, parsed.GetValue(method)!, parsed.GetValue(url)!, parsed.GetValue(fields) ?? [], parsed.GetValue(client)!, diagnostics);
            var said = diagnostics.ToString();
            if (said.Length > 0) Console.Error.WriteLine(said);
            if (explanation is null) return ExitCode.Usage;
            Console.Write(explanation);
            return ExitCode.Good;
        });
        return command;
    }
}
