// weir reload, status, drain: asked of a running proxy over its control socket.

using System.CommandLine;
using System.Text.Json;
using Weir.Control.Admin;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static class ControlCommands
{
    public static Command Reload() => Make("reload", "Makes a running proxy take its configuration anew.", HttpMethod.Post, static _ => "/reload", static (_, body) =>
    {
        var text = body.GetProperty("text").GetString();
        return string.IsNullOrEmpty(text) ? "the new configuration is in force" : $"the new configuration is in force\n{text}";
    });

    public static Command Status()
    {
        var json = new Option<bool>("--json") { Description = "For programs: all there is to tell, as JSON." };
        var command = Make("status", "Shows what a running proxy serves, and how its servers are.", HttpMethod.Get, static _ => "/status",
            (parsed, body) => parsed.GetValue(json) ? body.GetRawText() : StatusTable.Write(body, DateTimeOffset.UtcNow).TrimEnd());
        command.Options.Add(json);
        return command;
    }

    public static Command Drain()
    {
        var off = new Option<bool>("--off") { Description = "Ends it: the proxy is ready again." };
        var command = Make("drain", "Makes a running proxy say that it is not ready, and end connections after their response.", HttpMethod.Post,
            parsed => parsed.GetValue(off) ? "/undrain" : "/drain", static (_, body) => body.GetProperty("draining").GetBoolean() ? "draining" : "ready");
        command.Options.Add(off);
        return command;
    }

    private static Command Make(string name, string description, HttpMethod method, Func<ParseResult, string> path, Func<ParseResult, JsonElement, string> show)
    {
        var socket = new Option<string?>("--control") { Description = "The control socket; else the one that --config tells, that of this user, or that of the service." };
        var file = new Option<string?>("--config", "-c") { Description = "The configuration of the proxy that is meant: a file or a folder of files." };
        var command = new Command(name, description) { socket, file };
        command.SetAction(async (parsed, cancel) =>
        {
            if (!TryFind(parsed.GetValue(socket), parsed.GetValue(file), out var at)) return ExitCode.Usage;
            try
            {
                var (status, body) = await ControlClient.SendAsync(at, method, path(parsed), cancel);
                using var json = JsonDocument.Parse(body);
                if (status == 200)
                {
                    Console.WriteLine(show(parsed, json.RootElement));
                    return ExitCode.Good;
                }

                Console.Error.WriteLine(json.RootElement.GetProperty("error").GetString());
                return ExitCode.Failed;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or ArgumentException)
            {
                Console.Error.WriteLine($"weir: no running proxy answers on {at}{(File.Exists(at) ? "" : ": there is no such socket")}; --control names another");
                return ExitCode.Failed;
            }
        });
        return command;
    }

    // The first that there is; if there is none, the one that is told to be missing.
    private static bool TryFind(string? socket, string? file, out string at)
    {
        at = socket ?? "";
        if (socket is not null) return true;
        if (file is not null)
        {
            var diagnostics = new Diagnostics();
            var config = ConfigLoader.Load(file, diagnostics);
            if (config is null)
            {
                Console.Error.WriteLine(diagnostics);
                return false;
            }

            if ((config.Control ?? config.State) is not null)
            {
                at = config.Control ?? StateFolder.SocketIn(config.State!);
                return true;
            }
        }

        string[] known = [StateFolder.SocketIn(StateFolder.Path), StateFolder.SocketIn(StateFolder.OfTheSystem)];
        at = Array.Find(known, File.Exists) ?? known[0];
        return true;
    }
}
