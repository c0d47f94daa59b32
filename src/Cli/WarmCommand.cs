// weir cache warm: asks for URLs as a client would, through the proxy's own listeners, so that they are kept before somebody waits.

using System.CommandLine;
using Weir.Control.Warming;

namespace Weir.Cli;

internal static class WarmCommand
{
    public static Command Make()
    {
        var urls = new Argument<string[]>("url") { Description = "URLs to ask for.", Arity = ArgumentArity.ZeroOrMore };
        var file = new Option<string?>("--file") { Description = "A file with a URL in each line; - for the input." };
        var sitemap = new Option<string?>("--sitemap") { Description = "A sitemap, or an index of such: a URL that is asked for through the proxy, or a file; .gz too." };
        var concurrency = new Option<int>("--concurrency") { Description = "Requests at once.", DefaultValueFactory = static _ => 4 };
        var rate = new Option<int>("--rate") { Description = "Requests in a second at most; 0: no limit.", DefaultValueFactory = static _ => 50 };
        var headers = new Option<string[]>("--header", "-H") { Description = "A field of each request, \"Name: value\", such as Accept-Encoding." };
        var to = new Option<string?>("--to") { Description = "The listener to ask, HOST:PORT; else the first of the running proxy that speaks as the URL says." };
        var socket = new Option<string?>("--control") { Description = "The control socket of the proxy." };
        var config = new Option<string?>("--config", "-c") { Description = "The configuration of the proxy that is meant." };
        var command = new Command("warm", "Asks for URLs through a running proxy, so that their answers are kept.") { urls, file, sitemap, concurrency, rate, headers, to, socket, config };
        command.SetAction(async (parsed, cancel) =>
        {
            var plan = new WarmPlan
            {
                Concurrency = Math.Clamp(parsed.GetValue(concurrency), 1, 256),
                Rate = Math.Max(0, parsed.GetValue(rate)),
                Headers = parsed.GetValue(headers) ?? [],
            };
            var listeners = parsed.GetValue(to) is { } one ? [one] : await ControlCommands.ListenersAsync(parsed.GetValue(socket), parsed.GetValue(config), cancel);
            if (listeners is null) return ExitCode.Failed;
            using var warming = new Warming(plan, listeners);
            try
            {
                foreach (var url in parsed.GetValue(urls) ?? []) warming.Add(url);
                if (parsed.GetValue(file) is { } from) await warming.AddFileAsync(from, cancel);
                if (parsed.GetValue(sitemap) is { } map) await warming.AddSitemapAsync(map, cancel);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or HttpRequestException or System.Xml.XmlException or InvalidDataException)
            {
                Console.Error.WriteLine($"weir: {e.Message}");
                return ExitCode.Failed;
            }

            if (warming.Count == 0)
            {
                Console.Error.WriteLine("weir: no URLs: name some, or --file, or --sitemap");
                return ExitCode.Usage;
            }

            var report = await warming.RunAsync(cancel);
            Console.WriteLine(report.Text);
            foreach (var trouble in report.Troubles) Console.Error.WriteLine($"weir: {trouble}");
            return report.Failed == 0 ? ExitCode.Good : ExitCode.Failed;
        });
        return command;
    }
}
