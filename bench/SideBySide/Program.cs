// Weir and its rivals on the same work in one run: see bench/README.md.

using System.Globalization;
using System.Runtime.InteropServices;
using Weir.Bench.SideBySide;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    var settings = Settings.Read(args[0], args.AsSpan(1));
    var rows = settings.Rows.Count == 0 ? Row.All : [.. settings.Rows.SelectMany(Row.Called)];
    using var stage = new Stage(settings);
    void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        stage.Dispose();
        Environment.Exit(130);
    }

    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    using var tooLong = new Timer(_ =>
    {
        Console.Error.WriteLine("bench: an hour is over; giving up");
        stage.Dispose();
        Environment.Exit(1);
    }, null, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan);

    Stage.Ask("taskset", "-acp", $"{stage.LoadCpu}", $"{Environment.ProcessId}");
    var run = new Run(settings, stage);
    if (run.Peers.Count == 0) throw new InvalidOperationException("nobody to measure");
    Run.Say($"proxy on CPU {stage.ProxyCpu}, load on {stage.LoadCpu}, origin on {stage.OriginCpu}; {string.Join(", ", run.Versions.Select(v => $"{v.Key} {v.Value}"))}");
    var failed = false;
    foreach (var row in rows)
    {
        try
        {
            row.Measure(run);
        }
        catch (Exception e) when (stage.IsEnded)
        {
            Run.Say($"ended while measuring {row.Name}: {e.Message}");
            return 130;
        }
        catch (InvalidOperationException e)
        {
            Run.Say($"{row.Name}: {e.Message}");
            failed = true;
        }
    }

    var tables = new Tables(run);
    Directory.CreateDirectory(settings.Tools);
    File.WriteAllText(Path.Combine(settings.Tools, $"{DateTime.UtcNow:yyyyMMdd-HHmmss}.json"), run.ToJson());
    var scenes = string.Join('\n', run.Scenes);
    var hasTable = rows.Any(r => r is not Scene);
    File.WriteAllText(Path.Combine(settings.Tools, "latest.md"), (hasTable ? tables.ToMarkdown() : "") + scenes);
    if (hasTable) Console.WriteLine(settings.Markdown ? tables.ToMarkdown() : tables.ToText());
    Console.WriteLine(scenes);
    return failed || run.HasFailed ? 1 : 0;
}
catch (FormatException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 2;
}
catch (InvalidOperationException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 1;
}
