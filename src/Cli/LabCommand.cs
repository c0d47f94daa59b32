// weir lab: how much faster a file would come over a bad link through a hop, and through a hop that fetches parallel ranges.
// All in this process, in a simulated world whose time is not ours.

using System.CommandLine;
using Weir.Control.Laboratory;
using Weir.Engine.Transports.Simulation.Links;

namespace Weir.Cli;

internal static class LabCommand
{
    private const double MostLoss = 0.5;

    public static Command Make()
    {
        var rtt = new Amount("--rtt", "200ms", "The round trip of the bad link.", LabAmounts.Time);
        var loss = new Amount("--loss", "1%", "The share of packets that it loses.", Loss);
        var burst = new Amount("--burst", "1", "Packets lost in a row, on average; 1: each by itself.", static text => LabAmounts.Number(text, 1, 1_000));
        var rate = new Amount("--rate", "off", "What the origin sends over one connection at most.", LabAmounts.Rate);
        var bandwidth = new Amount("--bandwidth", "12.5MB/s", "What the bad link carries, and the client's line.", LabAmounts.Rate);
        var resets = new Amount("--resets", "off", "How often a connection over the bad link is reset, such as 6/h.", LabAmounts.Frequency);
        var hopRtt = new Amount("--hop-rtt", "60ms", "The round trip of the better way, between origin and hop.", LabAmounts.Time);
        var hopLoss = new Amount("--hop-loss", "0.05%", "The share of packets that it loses.", Loss);
        var hopBandwidth = new Amount("--hop-bandwidth", "125MB/s", "What it carries.", LabAmounts.Rate);
        var clientRtt = new Amount("--client-rtt", "30ms", "The round trip between hop and client.", LabAmounts.Time);
        var clientLoss = new Amount("--client-loss", "0%", "The share of packets lost there.", Loss);
        var segments = new Amount("--segments", "8", "Connections at once for parallel ranges, from 2 to 64.", static text => LabAmounts.Number(text, 2, 64));
        var size = new Amount("--size", "650MB", "The size of the file.", static text => LabAmounts.Size(text, 1, 100e9));
        var seed = new Amount("--seed", "1", "Where chance begins: the same seed is the same run.", static text => LabAmounts.Number(text, 0, 1_000_000_000));
        var repeat = new Amount("--repeat", "1", "Runs of each measurement; the one in the middle is told.", static text => LabAmounts.Number(text, 1, 1_000));
        var control = new Amount("--congestion", "cubic", "How senders answer loss: cubic or reno.", static text => text switch { "cubic" => (double)CongestionControl.Cubic, "reno" => (double)CongestionControl.Reno, _ => null });
        var svg = new Option<string?>("--svg") { Description = "Draws a picture into this file." };
        var json = new Option<bool>("--json") { Description = "For programs: all there is to tell, as JSON." };
        var command = new Command("lab", "Measures in a simulated world how much faster a file comes over a bad link through a hop.");
        foreach (var option in new Option[] { rtt, loss, burst, rate, bandwidth, resets, hopRtt, hopLoss, hopBandwidth, clientRtt, clientLoss, segments, size, seed, repeat, control, svg, json }) command.Options.Add(option);
        command.SetAction(parsed =>
        {
            var way = new LinkSettings { Rate = rate.Of(parsed), Control = (CongestionControl)control.Of(parsed) };
            var plan = new LabPlan
            {
                Size = (long)size.Of(parsed),
                Seed = (int)seed.Of(parsed),
                Repeat = (int)repeat.Of(parsed),
                Direct = way with { RoundTrip = Microseconds(rtt.Of(parsed)), Loss = loss.Of(parsed), Burst = burst.Of(parsed), Bandwidth = bandwidth.Of(parsed), ResetAfter = resets.Of(parsed) is > 0 and var often ? 1 / often : 0 },
                Haul = way with { RoundTrip = Microseconds(hopRtt.Of(parsed)), Loss = hopLoss.Of(parsed), Bandwidth = hopBandwidth.Of(parsed) },
                Accelerated = $"accelerate: {{ segments: {(int)segments.Of(parsed)} }}",
                Near = way with { RoundTrip = Microseconds(clientRtt.Of(parsed)), Loss = clientLoss.Of(parsed), Bandwidth = bandwidth.Of(parsed), Rate = 0 },
            };
            return Tell(LabResult.Of(plan), parsed.GetValue(json), parsed.GetValue(svg));
        });
        return command;
    }

    private static int Tell(LabResult result, bool isForPrograms, string? picture)
    {
        Console.Write(isForPrograms ? LabDocument.Write(result) + "\n" : LabTable.Write(result));
        if (picture is null) return result.IsWhole ? ExitCode.Good : ExitCode.Failed;
        try
        {
            File.WriteAllText(picture, LabPicture.Draw(result));
            return result.IsWhole ? ExitCode.Good : ExitCode.Failed;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"weir: {e.Message}");
            return ExitCode.Failed;
        }
    }

    private static double? Loss(string text) => LabAmounts.Share(text, MostLoss);

    private static long Microseconds(double seconds) => (long)Math.Round(seconds * 1e6);

    /// <summary>An option that is a number with a unit.</summary>
    private sealed class Amount : Option<string>
    {
        private readonly Func<string, double?> read;

        public Amount(string name, string usual, string description, Func<string, double?> read)
            : base(name)
        {
            this.read = read;
            Description = description;
            DefaultValueFactory = _ => usual;
            Validators.Add(result =>
            {
                if (result.Tokens.Count > 0 && read(result.Tokens[0].Value) is null) result.AddError($"{name}: expected something like {(usual == "off" ? "2MB/s, 6/h or off" : usual)} within its bounds, found '{result.Tokens[0].Value}'");
            });
        }

        public double Of(ParseResult parsed) => read(parsed.GetValue(this)!)!.Value;
    }
}
