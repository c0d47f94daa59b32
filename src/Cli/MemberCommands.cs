// weir weight, weir endpoint: who belongs to an upstream of a running proxy, and with which share.

using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Weir.Control.Configuration;
using Weir.Control.Discovery;

namespace Weir.Cli;

internal static class MemberCommands
{
    public static Command Weight()
    {
        var endpoint = Endpoint();
        var weight = new Argument<int>("weight") { Description = $"Its share relative to its siblings, 0 to {Member.MostWeight}; 0 takes it out." };
        weight.Validators.Add(result => CheckRange(result, "the weight", Member.MostWeight));
        var command = ControlCommands.Make("weight", "Gives an endpoint of a running proxy another weight, until another one is written in the configuration.", parsed =>
            new ControlCall(HttpMethod.Patch, PathOf(parsed.GetValue(endpoint)!), string.Create(CultureInfo.InvariantCulture, $"{{\"weight\":{parsed.GetValue(weight)}}}"),
                _ => string.Create(CultureInfo.InvariantCulture, $"{parsed.GetValue(endpoint)} has the weight {parsed.GetValue(weight)}")));
        command.Arguments.Add(endpoint);
        command.Arguments.Add(weight);
        return command;
    }

    public static Command Endpoints() => new("endpoint", "Adds endpoints to an upstream of a running proxy, and removes them.") { Add(), Remove() };

    /// <summary>What makes an endpoint take no further requests, or again.</summary>
    public static ControlCall Drain(string endpoint, bool off) =>
        new(HttpMethod.Patch, PathOf(endpoint), off ? "{\"drained\":false}" : "{\"drained\":true}", _ => off ? $"{endpoint} takes requests again" : $"{endpoint} is drained: it takes no further requests");

    /// <summary>Why a text names no endpoint; null: it does.</summary>
    public static string? Trouble(string? text) => text is not null && Split(text) is ({ Length: > 0 }, { Length: > 0 }) ? null : $"'{text}' names no endpoint: write UPSTREAM/AUTHORITY, such as api/10.0.0.7:8080";

    private static Command Add()
    {
        var upstream = new Argument<string>("upstream") { Description = "The upstream, as weir status calls it." };
        var url = new Argument<string>("url") { Description = "The endpoint, such as http://10.0.0.7:8080." };
        var weight = new Option<int>("--weight") { Description = "Its share relative to its siblings.", DefaultValueFactory = _ => 1 };
        var backup = new Option<int>("--backup") { Description = "Stands in where none of the servers before it is there: 1 to 9, one after the other." };
        url.Validators.Add(result =>
        {
            var diagnostics = new Diagnostics();
            Shapes.Url.Read(new ScalarNode(Position.None, result.Tokens.Count > 0 ? result.Tokens[0].Value : "", false), diagnostics, out _);
            foreach (var mistake in diagnostics.All) result.AddError(mistake.Text);
        });
        weight.Validators.Add(result => CheckRange(result, "the weight", Member.MostWeight));
        backup.Validators.Add(result => CheckRange(result, "a backup's turn", Member.MostTier));
        var command = ControlCommands.Make("add", "Adds an endpoint, until it is removed or the upstream leaves the configuration.", parsed =>
            new ControlCall(HttpMethod.Post, $"{UpstreamPath(parsed.GetValue(upstream)!)}/endpoints", Body(parsed.GetValue(url)!, parsed.GetValue(weight), parsed.GetValue(backup)), _ => $"{parsed.GetValue(url)} is added to {parsed.GetValue(upstream)}"));
        command.Arguments.Add(upstream);
        command.Arguments.Add(url);
        command.Options.Add(weight);
        command.Options.Add(backup);
        return command;
    }

    private static Command Remove()
    {
        var endpoint = Endpoint();
        var command = ControlCommands.Make("remove", "Removes an endpoint that was added; what runs on it finishes.", parsed =>
            new ControlCall(HttpMethod.Delete, PathOf(parsed.GetValue(endpoint)!), null, _ => $"{parsed.GetValue(endpoint)} is removed"));
        command.Arguments.Add(endpoint);
        return command;
    }

    private static string Body(string url, int weight, int backup) => string.Create(CultureInfo.InvariantCulture,
        $"{{\"url\":\"{JsonEncodedText.Encode(url)}\",\"weight\":{weight}{(backup == 0 ? "" : $",\"backup\":{backup}")}}}");

    private static Argument<string> Endpoint()
    {
        var argument = new Argument<string>("endpoint") { Description = "UPSTREAM/AUTHORITY, such as api/10.0.0.7:8080, or api/unix:/run/app.sock." };
        argument.Validators.Add(result =>
        {
            if (Trouble(result.Tokens.Count > 0 ? result.Tokens[0].Value : null) is { } trouble) result.AddError(trouble);
        });
        return argument;
    }

    private static void CheckRange(System.CommandLine.Parsing.SymbolResult result, string what, int most)
    {
        foreach (var token in result.Tokens)
        {
            if (!int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > most) result.AddError($"{what} is a whole number from 0 to {most}, found '{token.Value}'");
        }
    }

    private static string PathOf(string endpoint)
    {
        var (upstream, authority) = Split(endpoint);
        return $"{UpstreamPath(upstream)}/endpoints/{Uri.EscapeDataString(authority)}";
    }

    private static string UpstreamPath(string upstream) => $"/upstreams/{Uri.EscapeDataString(upstream)}";

    // An upstream without a name is called by its first server, slashes included: an authority has none, but for a socket's path.
    private static (string Upstream, string Authority) Split(string text)
    {
        var at = text.LastIndexOf("/unix:", StringComparison.Ordinal);
        if (at < 0) at = text.LastIndexOf('/');
        return at < 0 ? ("", text) : (text[..at], text[(at + 1)..]);
    }
}
