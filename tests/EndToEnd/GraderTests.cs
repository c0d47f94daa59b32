// What testssl.sh has to say of the built program: nothing grave. It takes its time: only the long run asks all it can ask, of
// both profiles.

using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class GraderTests : IDisposable
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("WEIR_LONG") is { Length: > 0 };

    // The client's order counts, as Mozilla has it where every cipher is a good one; and what lies with a test's certificate.
    private static readonly string[] Known = ["cipher_order", "cert_", "OCSP_stapling", "DNS_CAArecord", "security_headers"];

    private readonly TestCertificates made = new(Directory.CreateTempSubdirectory("weir-grade-").FullName);

    public static TheoryData<string> Profiles() => IsLong ? ["intermediate", "modern"] : ["intermediate"];

    public void Dispose() => Directory.Delete(made.Folder, recursive: true);

    [Theory]
    [MemberData(nameof(Profiles))]
    public void Nothing_grave_is_found(string profile)
    {
        made.Issue("ec", ["localhost"]);
        made.Issue("rsa", ["localhost"], "rsa");
        using var weir = WeirProcess.Start($$"""
            listen: { address: "127.0.0.1:0", tls: { profile: {{profile}} } }
            hsts: 1y
            sites: [{ hosts: [localhost], tls: { certificates: [{ certificate: {{made.At("ec.pem")}}, key: {{made.At("ec.key")}} }, { certificate: {{made.At("rsa.pem")}}, key: {{made.At("rsa.key")}} }] }, respond: 200 }]
            """);
        string[] asked = IsLong ? [] : ["--protocols", "--headers"];
        var said = Command.Run("testssl", ["--quiet", "--color", "0", "--warnings", "batch", "--ip", "127.0.0.1", "--add-ca", made.At("root.pem"), "--jsonfile", made.At("found.json"), .. asked, $"localhost:{weir.Port}"], patience: TimeSpan.FromMinutes(15));
        var found = JsonDocument.Parse(File.ReadAllText(made.At("found.json"))).RootElement.EnumerateArray()
            .Select(static f => (Id: f.GetProperty("id").GetString()!, Severity: f.GetProperty("severity").GetString()!, Finding: f.GetProperty("finding").GetString())).ToArray();
        Assert.Contains(found, static f => f is { Id: "TLS1_3", Severity: "OK" });
        Assert.Contains(found, f => f.Id == "TLS1_2" && f.Finding!.StartsWith("offered", StringComparison.Ordinal) == (profile == "intermediate"));
        var grave = found.Where(static f => f.Severity is "MEDIUM" or "HIGH" or "CRITICAL" or "FATAL" && !Known.Any(k => f.Id.StartsWith(k, StringComparison.Ordinal))).ToArray();
        Assert.True(grave.Length == 0, string.Join('\n', grave) + "\n" + said.Output);
    }
}
