// weir reload, status, drain, and what else is asked of a running proxy over its control socket.

using System.CommandLine;
using System.Text.Json;
using Weir.Control.Admin;
using Weir.Control.Configuration;

namespace Weir.Cli;

/// <summary>What is asked, and how the answer is shown.</summary>
internal sealed record ControlCall(HttpMethod Method, string Path, string? Body, Func<JsonElement, string> Show);

internal static class ControlCommands
{
    public static Command Reload() => Make("reload", "Makes a running proxy take its configuration anew.", static _ => new ControlCall(HttpMethod.Post, "/reload", null, static body =>
    {
        var text = body.GetProperty("text").GetString();
        return string.IsNullOrEmpty(text) ? "the new configuration is in force" : $"the new configuration is in force\n{text}";
    }));

    public static Command Status()
    {
        var json = new Option<bool>("--json") { Description = "For programs: all there is to tell, as JSON." };
        var command = Make("status", "Shows what a running proxy serves, and how its servers are.", parsed =>
        {
            var isForPrograms = parsed.GetValue(json);
            return new ControlCall(HttpMethod.Get, "/status", null, body => isForPrograms ? body.GetRawText() : StatusTable.Write(body, DateTimeOffset.UtcNow).TrimEnd());
        });
        command.Options.Add(json);
        return command;
    }

    public static Command Drain()
    {
        var off = new Option<bool>("--off") { Description = "Ends it: the proxy is ready again, or the endpoint takes requests again." };
        var endpoint = new Option<string?>("--endpoint") { Description = "Only this endpoint, UPSTREAM/AUTHORITY: it takes no further requests, and what runs on it finishes." };
        endpoint.Validators.Add(result =>
        {
            if (MemberCommands.Trouble(result.Tokens.Count > 0 ? result.Tokens[0].Value : null) is { } trouble) result.AddError(trouble);
        });
        var command = Make("drain", "Makes a running proxy say that it is not ready, and end connections after their response; or one endpoint take no further requests.", parsed =>
            parsed.GetValue(endpoint) is { } one
                ? MemberCommands.Drain(one, parsed.GetValue(off))
                : new ControlCall(HttpMethod.Post, parsed.GetValue(off) ? "/undrain" : "/drain", null, static body => body.GetProperty("draining").GetBoolean() ? "draining" : "ready"));
        command.Options.Add(off);
        command.Options.Add(endpoint);
        return command;
    }

    /// <summary>The options that say which proxy is meant.</summary>
    public static (Option<string?> Socket, Option<string?> File) Where() =>
        (new Option<string?>("--control") { Description = "The control socket; else the one that --config tells, that of this user, or that of the service." },
            new Option<string?>("--config", "-c") { Description = "The configuration of the proxy that is meant: a file or a folder of files." });

    /// <summary>A command that asks a running proxy.</summary>
    public static Command Make(string name, string description, Func<ParseResult, ControlCall> call)
    {
        var (socket, file) = Where();
        var command = new Command(name, description) { socket, file };
        command.SetAction(async (parsed, cancel) =>
        {
            if (!TryFind(parsed.GetValue(socket), parsed.GetValue(file), out var at)) return ExitCode.Usage;
            try
            {
                var asked = call(parsed);
                var (status, body) = await ControlClient.SendAsync(at, asked.Method, asked.Path, asked.Body, cancel);
                using var json = JsonDocument.Parse(body);
                if (status is 200 or 201)
                {
                    Console.WriteLine(asked.Show(json.RootElement));
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

    /// <summary>Where a running proxy listens, as <see cref="Weir.Control.Warming.Warming"/> wants it; null, told, where none answers.</summary>
    public static async Task<string[]?> ListenersAsync(string? socket, string? file, CancellationToken cancel)
    {
        if (!TryFind(socket, file, out var at)) return null;
        try
        {
            var (_, body) = await ControlClient.SendAsync(at, HttpMethod.Get, "/status", null, cancel);
            using var json = JsonDocument.Parse(body);
            return [.. json.RootElement.GetProperty("listeners_by_protocol").EnumerateArray().Select(static l => $"{(l.GetProperty("tls").GetBoolean() ? "https " : "")}{l.GetProperty("address").GetString()}")];
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException or KeyNotFoundException)
        {
            Console.Error.WriteLine($"weir: no running proxy answers on {at}; --to names a listener");
            return null;
        }
    }

    /// <summary>The first that there is; if there is none, the one that is told to be missing.</summary>
    public static bool TryFind(string? socket, string? file, out string at)
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
