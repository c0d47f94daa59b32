// weir get URL: downloads with the engine that accelerates, and goes on with what an earlier run left.

using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Control.Admin;
using Weir.Control.Configuration;
using Weir.Control.Downloads;

namespace Weir.Cli;

internal static class GetCommand
{
    // Fields that the download itself, or the connection, needs for what they say.
    private static readonly string[] Own = ["Host", "Range", "If-Range", "Accept-Encoding", "Connection", "Content-Length", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive", "Proxy-Connection"];

    public static Command Make()
    {
        var url = new Argument<string>("url") { Description = "What to download: an http or https URL." };
        var output = new Option<string?>("--output", "-o") { Description = "The file, or the folder for it; - for standard output. Else the end of the URL." };
        var segments = new Option<int>("--segments") { Description = "Connections at once, 1 to 64; as many are used as pay.", DefaultValueFactory = static _ => 8 };
        var segmentSize = new Option<string?>("--segment-size") { Description = "The most bytes of a part, such as 16MiB." };
        var mirrors = new Option<string[]>("--mirror") { Description = "A URL with the same bytes, used beside the first; may be given several times." };
        var headers = new Option<string[]>("--header", "-H") { Description = "A field of the requests, \"Name: value\"." };
        var limit = new Option<string?>("--limit") { Description = "Bytes a second at most, such as 2MiB/s." };
        var checksum = new Option<string?>("--checksum") { Description = "What the file must be: sha-256:HEX." };
        var retries = new Option<int>("--retries") { Description = "How often in a row it is tried again where it breaks off and nothing more comes, 0 to 100.", DefaultValueFactory = static _ => 5 };
        var resume = new Option<bool>("--resume") { Description = "Goes on with what an earlier run left where that is still the same: what happens without it too." };
        var anew = new Option<bool>("--no-resume") { Description = "Begins anew whatever an earlier run left." };
        var force = new Option<bool>("--force", "-f") { Description = "Replaces the file if it is there." };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Says nothing but what goes wrong." };
        var json = new Option<bool>("--json") { Description = "For programs: what became of it, as JSON." };
        var command = new Command("get", "Downloads a file over several connections, goes on where it broke off, and tells its SHA-256.") { url, output, segments, segmentSize, mirrors, headers, limit, checksum, retries, resume, anew, force, quiet, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var troubles = new List<string>();
            var plan = Plan(parsed.GetValue(url)!, parsed.GetValue(mirrors) ?? [], parsed.GetValue(headers) ?? [], parsed.GetValue(checksum), parsed.GetValue(limit), troubles);
            if (parsed.GetValue(segments) is < 1 or > 64) troubles.Add("--segments is a number from 1 to 64");
            if (parsed.GetValue(retries) is < 0 or > 100) troubles.Add("--retries is a number from 0 to 100");
            if (parsed.GetValue(resume) && parsed.GetValue(anew)) troubles.Add("--resume and --no-resume say the opposite");
            if (plan is null || troubles.Count > 0) return Fail(ExitCode.Usage, troubles);
            plan = plan with { Segments = parsed.GetValue(segments), SegmentSize = parsed.GetValue(segmentSize), Retries = parsed.GetValue(retries) };
            var isJson = parsed.GetValue(json);
            var path = PathOf(parsed.GetValue(output), plan.Url);
            var toOutput = path == "-";
            DownloadSink? sink = toOutput ? new StreamSink(Console.OpenStandardOutput()) : PartFile.TryOpen(path, parsed.GetValue(force), !parsed.GetValue(anew), out var trouble) is { } part ? part : Told(trouble);
            if (sink is null) return ExitCode.Failed;
            using (sink)
            {
                var shown = new GetProgress(isSilent: parsed.GetValue(quiet) || isJson);
                using var download = new Download(plan, sink, shown.Say);
                var diagnostics = new Diagnostics();
                var report = await shown.RunAsync(download, diagnostics, cancel);
                if (report is null) return Fail(ExitCode.Usage, [diagnostics.ToString()]);
                var file = toOutput ? null : path;
                if (isJson) (toOutput ? Console.Error : Console.Out).WriteLine(Json(report, plan, file));
                else if (report.Trouble is null && !parsed.GetValue(quiet)) Tell(report, file);
                return report.Trouble is null ? ExitCode.Good : isJson ? ExitCode.Failed : Fail(ExitCode.Failed, [report.Trouble]);
            }
        });
        return command;
    }

    private static DownloadPlan? Plan(string text, string[] mirrors, string[] headers, string? checksum, string? limit, List<string> troubles)
    {
        if (!DownloadUrl.TryRead(text, out var url, out var authorization, out var trouble)) troubles.Add(trouble);
        var others = new List<Uri>();
        foreach (var mirror in mirrors)
        {
            if (DownloadUrl.TryRead(mirror, out var other, out _, out var wrong)) others.Add(other);
            else troubles.Add(wrong);
        }

        if (troubles.Count == 0 && DownloadUrl.Shared([url, .. others]) is null) troubles.Add("a mirror's URL must end as the other's: with the same name, and the same query");
        var fields = new List<(string Name, string Value)>();
        if (authorization is not null) fields.Add(("Authorization", authorization));
        foreach (var line in headers)
        {
            if (Field(line) is { } field) fields.Add(field);
            else troubles.Add($"--header '{line}' is no \"Name: value\" of a request, or says what the download says itself");
        }

        byte[]? wanted = null;
        if (checksum is not null && !TryReadChecksum(checksum, out wanted)) troubles.Add($"expected a checksum such as sha-256:{new string('0', 8)}…, with 64 hexadecimal digits, found '{checksum}'");
        var rate = 0L;
        var diagnostics = new Diagnostics();
        if (limit is not null && (Shapes.ByteRate.Read(new ScalarNode(Position.None, limit, isPlain: true), diagnostics, out rate) != Reading.Good || rate == 0)) troubles.Add($"--limit: {(rate == 0 && !diagnostics.HasErrors ? "at 0 bytes a second nothing comes" : diagnostics)}");
        return troubles.Count > 0 ? null : new DownloadPlan { Url = url, Mirrors = others, Fields = fields, Checksum = wanted, Rate = rate == Shapes.NoLimit ? 0 : rate };
    }

    private static (string Name, string Value)? Field(string line)
    {
        if (line.Split(':', 2) is not [var name, var value] || name.Length == 0 || Own.Contains(name, StringComparer.OrdinalIgnoreCase)) return null;
        if (!Wire.Bytes.Ascii.IsToken(Encoding.UTF8.GetBytes(name)) || value.Any(static c => c is < ' ' and not '\t' or > '~')) return null;
        return (name, value.Trim());
    }

    private static bool TryReadChecksum(string text, out byte[]? hash)
    {
        hash = null;
        if (text.Split(':', 2) is not [var name, { Length: 64 } digits] || !(name is "sha-256" or "sha256") || !digits.All(char.IsAsciiHexDigit)) return false;
        hash = Convert.FromHexString(digits);
        return true;
    }

    private static string PathOf(string? output, Uri url) =>
        output is null ? DownloadUrl.FileName(url) : output != "-" && (output.EndsWith('/') || Directory.Exists(output)) ? Path.Combine(output, DownloadUrl.FileName(url)) : output;

    // As sha256sum has it, so that a program may read it; where the file itself is the output, beside it.
    private static void Tell(DownloadReport report, string? file)
    {
        var how = report.Connections > 1 ? $" over up to {report.Connections} connections{(report.Gain > 0 ? string.Create(CultureInfo.InvariantCulture, $": {report.Gain:0.0} times one of them") : "")}" : "";
        Console.Error.WriteLine($"weir: {Amounts.Bytes(report.Bytes - report.Had)}{(report.Had > 0 ? $" behind the {Amounts.Bytes(report.Had)} that were there" : "")} in {Amounts.Time(report.Time)}, {Amounts.Rate(report.Rate)}{how}{(report.Verified.Count > 0 ? $"; compared: {string.Join(", ", report.Verified)}" : "")}");
        (file is null ? Console.Error : Console.Out).WriteLine($"{Convert.ToHexStringLower(report.Sha256)}  {file ?? "-"}");
    }

    private static string Json(DownloadReport report, DownloadPlan plan, string? file)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            if (report.Trouble is not null) json.WriteString("trouble", report.Trouble);
            json.WriteString("url", plan.Url.AbsoluteUri);
            json.WriteString("from", report.From.AbsoluteUri);
            if (file is not null) json.WriteString("file", file);
            json.WriteNumber("bytes", report.Bytes);
            json.WriteNumber("had", report.Had);
            if (report.Sha256.Length > 0) json.WriteString("sha256", Convert.ToHexStringLower(report.Sha256));
            json.WriteStartArray("compared");
            foreach (var what in report.Verified) json.WriteStringValue(what);
            json.WriteEndArray();
            json.WriteNumber("seconds", Math.Round(report.Time.TotalSeconds, 3));
            json.WriteNumber("rate", (long)report.Rate);
            json.WriteNumber("connections", report.Connections);
            if (report.Gain > 0) json.WriteNumber("gain", Math.Round(report.Gain, 2));
            json.WriteStartArray("sources");
            foreach (var (endpoint, bytes, isDropped) in report.Sources)
            {
                json.WriteStartObject();
                json.WriteString("endpoint", endpoint);
                json.WriteNumber("bytes", bytes);
                json.WriteBoolean("dropped", isDropped);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static DownloadSink? Told(string trouble)
    {
        Console.Error.WriteLine($"weir: {trouble}");
        return null;
    }

    private static int Fail(int code, IEnumerable<string> troubles)
    {
        foreach (var trouble in troubles) Console.Error.WriteLine($"weir: {trouble}");
        return code;
    }

    // Shows how far it is where somebody looks: one line that is drawn anew.
    private sealed class GetProgress(bool isSilent)
    {
        private const int DrawEvery = 250;
        private const string Clear = "\r\e[K";

        private readonly bool isDrawn = !isSilent && !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");
        private readonly DownloadProgress progress = new();
        private readonly Lock turn = new();

        public void Say(string what)
        {
            if (isSilent) return;
            lock (turn) Console.Error.WriteLine($"{(isDrawn ? Clear : "")}weir: {what}");
        }

        public async Task<DownloadReport?> RunAsync(Download download, Diagnostics diagnostics, CancellationToken cancel)
        {
            var running = download.RunAsync(diagnostics, cancel);
            if (!isDrawn) return await running;
            while (await Task.WhenAny(running, Task.Delay(DrawEvery, CancellationToken.None)) != running)
            {
                lock (turn) Console.Error.Write(Clear + progress.Line(Moment(download), download.Time, Width()));
            }

            Console.Error.Write(Clear);
            return await running;
        }

        private static DownloadMoment Moment(Download download) =>
            new(download.Bytes + download.Ahead, download.Length, download.Transfer?.Connections.Active ?? (download.Bytes > download.Had ? 1 : 0), download.Transfer is { WasShared: true } shared ? TransferDocuments.Gain(shared.Rates) : 0);

        private static int Width()
        {
            try
            {
                return Console.WindowWidth is > 0 and var width ? width : 80;
            }
            catch (IOException)
            {
                return 80;
            }
        }
    }
}
