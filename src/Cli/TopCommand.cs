// weir top: what a running proxy does at this moment, drawn anew each second; once, where nobody looks at a terminal.

using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Spectre.Console;
using Weir.Control.Admin;

namespace Weir.Cli;

internal static class TopCommand
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    // Columns where there is no terminal: enough for all of a line.
    private const int Wide = 200;

    public static Command Make()
    {
        var once = new Option<bool>("--once") { Description = "Prints it once: what a second brought." };
        var json = new Option<bool>("--json") { Description = "For programs: the same once, as JSON." };
        var (socket, file) = ControlCommands.Where();
        var command = new Command("top", "Shows what a running proxy does: requests, servers, and accelerated transfers.") { once, json, socket, file };
        command.SetAction(async (parsed, cancel) =>
        {
            if (!ControlCommands.TryFind(parsed.GetValue(socket), parsed.GetValue(file), out var at)) return ExitCode.Usage;
            var clock = Stopwatch.StartNew();
            try
            {
                var first = await LookAsync(at, clock, cancel);
                if (parsed.GetValue(json) || parsed.GetValue(once) || Console.IsOutputRedirected)
                {
                    await Task.Delay(Every, cancel);
                    var figures = TopFigures.Of(first, await LookAsync(at, clock, cancel));
                    if (parsed.GetValue(json)) Console.WriteLine(figures.Json());
                    else Print(figures);
                    return ExitCode.Good;
                }

                await AnsiConsole.Live(TopView.Draw(TopFigures.Of(first, first), DateTimeOffset.UtcNow)).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Bottom).StartAsync(live => FollowAsync(live, first, at, clock, cancel));
                return ExitCode.Good;
            }
            catch (OperationCanceledException)
            {
                return ExitCode.Good; // Whoever looks has seen enough.
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException)
            {
                Console.Error.WriteLine($"weir: no running proxy answers on {at}{(File.Exists(at) ? "" : ": there is no such socket")}; --control names another");
                return ExitCode.Failed;
            }
        });
        return command;
    }

    private static async Task FollowAsync(LiveDisplayContext live, TopSample before, string at, Stopwatch clock, CancellationToken cancel)
    {
        while (true)
        {
            await Task.Delay(Every, cancel);
            var now = await LookAsync(at, clock, cancel);
            live.UpdateTarget(TopView.Draw(TopFigures.Of(before, now), DateTimeOffset.UtcNow));
            live.Refresh();
            before = now;
        }
    }

    private static void Print(TopFigures figures)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected) console.Profile.Width = Wide;
        console.Write(TopView.Draw(figures, DateTimeOffset.UtcNow));
    }

    private static async Task<TopSample> LookAsync(string at, Stopwatch clock, CancellationToken cancel)
    {
        var status = await AskAsync(at, "/status", cancel);
        return new TopSample(status, await AskAsync(at, "/transfers", cancel), clock.Elapsed);
    }

    private static async Task<JsonElement> AskAsync(string at, string path, CancellationToken cancel)
    {
        var (status, body) = await ControlClient.SendAsync(at, HttpMethod.Get, path, null, cancel);
        if (status != 200) return default; // An older proxy has no such document.
        using var json = JsonDocument.Parse(body);
        return json.RootElement.Clone();
    }
}
