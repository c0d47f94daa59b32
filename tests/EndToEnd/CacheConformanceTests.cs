// The public suite for HTTP caches (npm: http-cache-tests), its client and its server as they are, with the built program in between.
// Every test that it calls required passes, and every behaviour that it calls optimal, or checks for, is the better one; where that is
// not what the suite expects, it stands here with the reason.

using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed partial class CacheConformanceTests
{
    private const string AgeIsAList = "RFC 9111 §5.1: the first member of Age counts, and one that makes no sense is ignored. The suite's own later versions say so too.";
    private const string NoSuchField = "RFC 9111 §5.2.2.2: an error is answered. The suite looks for a field of an answer that its server never gave; its later versions look for the error.";
    private const string SenselessAge = "RFC 9111 §4.2.1: a lifetime that makes no sense, or is said twice, is better taken for none.";
    private const string NoDate = "RFC 9111 §5.3: what is no HTTP-date is in the past.";
    private const string FalsePart = "RFC 9110 §14.4: the suite's 206 says that it has six bytes, and has five. What contradicts itself is not kept.";
    private const string NotItsTag = "RFC 9110 §8.8.3: what is not quoted is no entity tag, and equals none.";
    private const string AskedForAll = "RFC 9111 §4.3.2: what is fetched is for all, and so is not asked for under one client's condition; the client's is evaluated on what came.";
    private const string NoWarning = "RFC 9111 §5.5: Warning is obsolete; Cache-Status tells.";
    private const string TooYoung = "RFC 9111 §4.2.2: a tenth of so few seconds is over before the suite asks again.";

    private static readonly Dictionary<string, string> Otherwise = new()
    {
        ["age-parse-nonnumeric"] = AgeIsAList,
        ["age-parse-negative"] = AgeIsAList,
        ["age-parse-float"] = AgeIsAList,
        ["age-parse-prefix-twoline"] = AgeIsAList,
        ["age-parse-dup-0"] = AgeIsAList,
        ["age-parse-dup-0-twoline"] = AgeIsAList,
        ["age-parse-dup-old"] = AgeIsAList,
        ["age-parse-parameter"] = AgeIsAList,
        ["age-parse-numeric-parameter"] = AgeIsAList,
        ["stale-close-must-revalidate"] = NoSuchField,
        ["stale-close-proxy-revalidate"] = NoSuchField,
        ["stale-close-no-cache"] = NoSuchField,
        ["stale-close-s-maxage=2"] = NoSuchField,
        ["headers-store-Transfer-Encoding"] = "RFC 9112 §6.1: a transfer coding that nobody knows leaves no telling where the answer ends: 502.",
        ["vary-normalise-lang-select"] = "RFC 9111 §4.1: the two requests' languages do not mean the same, so one's answer must not be the other's.",
        ["conditional-lm-fresh-no-lm"] = "RFC 9110 §13.1.3, RFC 9111 §4.3.2: without Last-Modified the Date counts, and it is later than the condition: 200.",
        ["partial-store-partial-reuse-partial"] = FalsePart,
        ["partial-store-partial-reuse-partial-byterange"] = FalsePart,
        ["partial-store-partial-reuse-partial-absent"] = FalsePart,
        ["partial-store-partial-reuse-partial-suffix"] = FalsePart,
        ["partial-store-partial-complete"] = "RFC 9110 §15.3.7.3: parts without a strong validator must not be combined, so the rest alone would be of no use.",
        ["freshness-max-age-decimal-zero"] = SenselessAge,
        ["freshness-max-age-decimal-five"] = SenselessAge,
        ["freshness-max-age-a100"] = SenselessAge,
        ["freshness-max-age-100a"] = SenselessAge,
        ["freshness-max-age-two-stale-fresh-sameline"] = SenselessAge,
        ["freshness-max-age-two-fresh-stale-sameline"] = SenselessAge,
        ["freshness-max-age-two-stale-fresh-sepline"] = SenselessAge,
        ["freshness-max-age-two-fresh-stale-sepline"] = SenselessAge,
        ["freshness-expires-32bit"] = NoDate,
        ["freshness-expires-far-future"] = NoDate,
        ["freshness-expires-ansi-c"] = NoDate + " That day was a Monday.",
        ["freshness-expires-invalid-aest"] = NoDate,
        ["freshness-expires-invalid-2-digit-year"] = NoDate,
        ["freshness-expires-invalid-no-comma"] = NoDate,
        ["freshness-expires-invalid-multiple-spaces"] = NoDate,
        ["freshness-expires-invalid-date-dashes"] = NoDate,
        ["freshness-expires-invalid-time-periods"] = NoDate,
        ["freshness-expires-invalid-1-digit-hour"] = NoDate,
        ["freshness-expires-invalid-multiple-lines"] = NoDate,
        ["stale-warning-stored"] = NoWarning,
        ["stale-warning-become"] = NoWarning,
        ["heuristic-delta-5"] = TooYoung,
        ["heuristic-delta-10"] = TooYoung,
        ["heuristic-delta-30"] = TooYoung,
        ["pragma-request-no-cache"] = "RFC 9111 §5.4: without Cache-Control it is no-cache, which the operator may have ignored.",
        ["conditional-etag-strong-respond-obs-text"] = "RFC 9110 §8.8.3: the suite's server writes the tag in UTF-8 and its client in Latin-1; other bytes are another tag.",
        ["conditional-etag-quoted-respond-unquoted"] = NotItsTag,
        ["conditional-etag-unquoted-respond-quoted"] = NotItsTag,
        ["conditional-etag-strong-generate-unquoted"] = "RFC 9111 §4.3.1: the origin is asked with what it said, as it said it.",
        ["conditional-etag-vary-headers-mismatch"] = "RFC 9111 §4.1: other variants may be named in the condition. They are not: what comes is a variant of its own.",
        ["conditional-etag-forward"] = AskedForAll,
        ["conditional-etag-forward-unquoted"] = AskedForAll,
        ["head-410-update"] = "RFC 9111 §4.3.5: only a 200 to HEAD updates what is kept of GET.",
        ["surrogate-remove-header"] = "Edge Architecture Specification 1.0 §2.2: Surrogate-Control is not sent on by the last surrogate.",
    };

    private static readonly string Folder = Path.Combine(Repository.Root, "artifacts", "cache-tests", "node_modules", "http-cache-tests");

    [Fact]
    public void The_public_suite_finds_nothing_wrong()
    {
        Assert.True(Directory.Exists(Folder), $"{Folder} is not there: ./test installs it");
        using var server = new SuiteServer(Folder);
        using var weir = WeirProcess.Start($$"""
            listen: "127.0.0.1:0"
            sites: [{ routes: [{ proxy: "http://127.0.0.1:{{server.Port}}", cache: { heuristic: 10%, set_cookie: true, stale_if_error: 1d } }] }]
            """);
        var kinds = Kinds();
        var said = Command.Run("node", ["--no-warnings", "cli.mjs"], Folder, TimeSpan.FromMinutes(3), ("npm_config_base", $"http://127.0.0.1:{weir.Port}"), ("npm_config_id", ""), ("npm_package_config_id", ""));
        Assert.True(said.Output.StartsWith('{'), said.Output + said.Error);
        var results = JsonDocument.Parse(said.Output).RootElement;
        var wrong = new List<string>();
        foreach (var (id, kind) in kinds)
        {
            var result = results.TryGetProperty(id, out var found) ? found.GetRawText() : "it was not run";
            if (result == "true" && Otherwise.ContainsKey(id)) wrong.Add($"{id} passes: it is no exception any more");
            else if (result != "true" && !Otherwise.ContainsKey(id)) wrong.Add($"{kind} {id}: {result}");
        }

        wrong.AddRange(Otherwise.Keys.Where(id => !kinds.ContainsKey(id)).Select(static id => $"{id}: there is no such test"));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.InRange(kinds.Count, 300, int.MaxValue); // Nothing of it was left out.
    }

    // What each test is to the suite, but for those that are for browsers.
    private static Dictionary<string, string> Kinds()
    {
        const string Script = """
            const suites = [...(await import('./tests/index.mjs')).default, (await import('./tests/surrogate-control.mjs')).default]
            console.log(JSON.stringify(Object.fromEntries(suites.flatMap(s => s.tests).filter(t => !t.browser_only).map(t => [t.id, t.kind ?? 'required']))))
            """;
        var said = Command.Run("node", ["--no-warnings", "--input-type=module", "-e", Script], Folder);
        return JsonSerializer.Deserialize<Dictionary<string, string>>(said.Output) ?? throw new InvalidOperationException(said.Error);
    }

    // The suite's server, on a port that the system has chosen.
    private sealed partial class SuiteServer : IDisposable
    {
        private readonly string folder = Directory.CreateTempSubdirectory("weir-cache-tests-").FullName;
        private readonly Process process;
        private readonly Task<string> said; // Read, so that it never waits to be.

        public SuiteServer(string of)
        {
            var start = new ProcessStartInfo("node", ["--no-warnings", "server/server.mjs"]) { WorkingDirectory = of, RedirectStandardOutput = true, RedirectStandardError = true };
            start.Environment["npm_config_protocol"] = "http";
            start.Environment["npm_config_port"] = "0";
            start.Environment["npm_config_pidfile"] = Path.Combine(folder, "pid");
            process = Process.Start(start)!;
            process.BeginErrorReadLine();
            Port = int.Parse(Listening().Match(process.StandardOutput.ReadLine() ?? "").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
            said = process.StandardOutput.ReadToEndAsync();
        }

        public int Port { get; }

        public void Dispose()
        {
            process.Kill();
            process.WaitForExit();
            said.Wait();
            process.Dispose();
            Directory.Delete(folder, recursive: true);
        }

        [GeneratedRegex(@":(\d+)/$")]
        private static partial Regex Listening();
    }
}
