// weir top, the transfers over the control socket, and their metrics, while a large answer is accelerated.

using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class TopTests : IDisposable
{
    private const int Length = 60_000_000;

    private readonly string content = Directory.CreateTempSubdirectory("weir-top-").FullName;
    private readonly Nginx nginx;
    private readonly WeirProcess weir;

    public TopTests()
    {
        using (var file = File.Create(Path.Combine(content, "large"))) file.SetLength(Length);
        nginx = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]}; root {content}; limit_rate 500k; }}");
        weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nupstreams: {{ far: \"http://127.0.0.1:{nginx.Port}\" }}\nsites: [{{ routes: [{{ proxy: far, accelerate: true }}] }}]\n");
    }

    public void Dispose()
    {
        weir.Dispose();
        nginx.Dispose();
        Directory.Delete(content, recursive: true);
    }

    [Fact]
    public void What_is_accelerated_is_seen_while_it_runs()
    {
        using (var client = Process.Start("curl", ["-sS", "-o", "/dev/null", $"http://127.0.0.1:{weir.Port}/large?x"]))
        {
            Eventually.Holds(() => Transfers().GetProperty("transfers") is var all && all.GetArrayLength() == 1 && all[0].TryGetProperty("gain", out var gain) && gain.GetDouble() > 1.5, () => $"{Transfers()}");
            var one = Transfers().GetProperty("transfers")[0];
            Assert.Equal(("far", "/large", "127.0.0.1", Length), (one.GetProperty("upstream").GetString(), one.GetProperty("path").GetString(), one.GetProperty("client").GetString(), one.GetProperty("length").GetInt32()));
            Assert.InRange(one.GetProperty("connections").GetInt32(), 2, 8);
            Assert.InRange(one.GetProperty("received").GetInt64(), one.GetProperty("sent").GetInt64(), Length);
            Assert.Equal($"127.0.0.1:{nginx.Port}", Assert.Single(one.GetProperty("sources").EnumerateArray()).GetProperty("endpoint").GetString());

            var (code, output, error) = weir.Ask("top", "--once");
            Assert.True(code == 0, error);
            Assert.Matches(@"requests \S+/s +under way 1 +connections 1 ", output);
            Assert.Matches($@"  127\.0\.0\.1:{nginx.Port} +available", output);
            Assert.Matches(@"(?m)^/large +127\.0\.0\.1 +\[#*\.+\] +\d+% .* of 57\.2 MiB .*iB/s +\d\.\dx +\d/\d .*far: 127\.0\.0\.1:\d+ 100%", output);

            using var json = JsonDocument.Parse(weir.Ask("top", "--json").Output);
            Assert.True(json.RootElement.GetProperty("sent_bytes_per_second").GetInt64() > 300_000, $"{json.RootElement}");
            Assert.Equal(1, json.RootElement.GetProperty("accelerate").GetProperty("under_way").GetInt32());
            Assert.Equal(1, json.RootElement.GetProperty("status").GetProperty("accelerate").GetProperty("under_way").GetInt32());

            var metrics = Metrics();
            Assert.Equal(1, Value(metrics, "weir_accelerate_transfers{upstream=\"far\"}"));
            Assert.InRange(Value(metrics, "weir_accelerate_connections{upstream=\"far\"}"), 2, 8);
            Assert.True(Value(metrics, "weir_accelerate_rate_bytes{upstream=\"far\"}") > 1.5 * Value(metrics, "weir_accelerate_single_rate_bytes{upstream=\"far\"}"));
            Assert.True(Value(metrics, "weir_accelerate_parts_active") >= 1);
            client.Kill();
            client.WaitForExit();
        }

        Eventually.Holds(() => Transfers().GetProperty("under_way").GetInt32() == 0, () => $"{Transfers()}");
        Assert.Equal(1, Value(Metrics(), "weir_accelerate_answers_total"));
        Assert.True(Value(Metrics(), "weir_accelerate_part_bytes_total") > 0);
        Assert.Equal(0, Value(Metrics(), "weir_accelerate_transfers{upstream=\"far\"}"));
        Assert.Contains("no accelerated transfers", weir.Ask("top").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_nobody_answers_it_says_so()
    {
        var (code, _, error) = WeirProcess.Run("top", "--once", "--control", Path.Combine(content, "nobody.sock"));
        Assert.Equal(1, code);
        Assert.Contains("no running proxy answers", error, StringComparison.Ordinal);
    }

    private JsonElement Transfers()
    {
        using var json = JsonDocument.Parse(Command.Run("curl", ["-sS", "--unix-socket", weir.ControlPath, "http://localhost/transfers"]).Output);
        return json.RootElement.Clone();
    }

    private string Metrics() => "\n" + Command.Run("curl", ["-sS", "--unix-socket", weir.ControlPath, "http://localhost/metrics"]).Output;

    private static double Value(string metrics, string series) =>
        double.Parse(Regex.Match(metrics, $"\n{Regex.Escape(series)} (\\S+)\n").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
}
