// weir reload, status, drain: asked of a running proxy over its control socket.

using System.CommandLine;
using System.Text.Json;
using Weir.Control.Admin;

namespace Weir.Cli;

internal static class ControlCommands
{
    public static Command Reload() => Make("reload", "Makes a running proxy take its configuration anew.", HttpMethod.Post, "/reload", static body =>
    {
        var text = body.GetProperty("text").GetString();
        return string.IsNullOrEmpty(text) ? "the new configuration is in force" : $"the new configuration is in force\n{text}";
    });

    public static Command Status() => Make("status", "Shows what a running proxy serves.", HttpMethod.Get, "/status", static body => body.GetRawText());

    public static Command Drain() => Make("drain", "Makes a running proxy say that it is not ready, and end connections after their response.", HttpMethod.Post, "/drain", static _ => "draining");

    private static Command Make(string name, string description, HttpMethod method, string path, Func<JsonElement, string> show)
    {
        var socket = new Option<string>("--control") { Description = "The control socket.", DefaultValueFactory = static _ => System.IO.Path.Combine(StateFolder.Path, "weir.sock") };
        var command = new Command(name, description) { socket };
        command.SetAction(async (parsed, cancel) =>
        {
            var at = parsed.GetValue(socket)!;
            try
            {
                var (status, body) = await ControlClient.SendAsync(at, method, path, cancel);
                using var json = JsonDocument.Parse(body);
                if (status == 200)
                {
                    Console.WriteLine(show(json.RootElement));
                    return ExitCode.Good;
                }

                Console.Error.WriteLine(json.RootElement.GetProperty("error").GetString());
                return ExitCode.Failed;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException)
            {
                Console.Error.WriteLine($"weir: no running proxy answers on {at}: {e.Message}");
                return ExitCode.Failed;
            }
        });
        return command;
    }
}
