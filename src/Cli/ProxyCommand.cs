// weir proxy: a proxy without any file.

using System.CommandLine;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static class ProxyCommand
{
    public static Command Make()
    {
        var from = new Option<string>("--from") { Description = "Where to listen, such as :8080.", Required = true };
        var to = new Option<string[]>("--to") { Description = "Where to forward to, such as http://127.0.0.1:9000; may be given several times.", Required = true };
        var control = new Option<string?>("--control") { Description = "The control socket; several proxies of one user need one each." };
        var command = new Command("proxy", "Forwards from an address to one or several servers, without a file.") { from, to, control };
        command.SetAction(parsed =>
        {
            var targets = string.Join(", ", parsed.GetValue(to)!.Select(Quote));
            var text = $"listen: {Quote(parsed.GetValue(from)!)}\nsites: [{{ proxy: [{targets}] }}]\n";
            if (parsed.GetValue(control) is { } socket) text += $"control: {Quote(socket)}\n";
            return Serve.Run(diagnostics => ConfigLoader.Read("command line", text, diagnostics, static _ => null), file: null);
        });
        return command;
    }

    private static string Quote(string value) => $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
