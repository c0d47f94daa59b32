// Requests of public suites (http-parser, gunicorn, httpd), where the folder with them lies beside the repository. Their
// expectation is met, or the case stands in the table below with the rule behind the difference.

using System.Text;
using System.Text.Json;
using Weir.Tests.Support;
using Weir.Wire.Http1;

namespace Weir.Tests.Conformance;

public class Http1VectorTests
{
    private static readonly string File = Path.Combine(Repository.Root, "..", "shared", "vectors", "http1", "requests.json");

    [Fact]
    public void Every_request_is_judged_as_its_suite_says_or_differs_for_a_reason()
    {
        Assert.SkipUnless(System.IO.File.Exists(File), "../shared/vectors/http1 is not there");
        var differences = new List<string>();
        foreach (var vector in JsonDocument.Parse(System.IO.File.ReadAllText(File)).RootElement.EnumerateArray())
        {
            var name = vector.GetProperty("name").GetString()!;
            var expect = vector.GetProperty("expect").ToString();
            var verdict = Judge(vector.GetProperty("raw").GetBytesFromBase64());
            if (!Agrees(expect, verdict)) differences.Add($"{name}: expected {expect}, judged {verdict}");
        }

        System.IO.File.WriteAllLines(Path.Combine(Path.GetTempPath(), "weir-vectors.txt"), differences);
        Assert.True(differences.Count == 0, string.Join('\n', differences));
    }

    private static bool Agrees(string expect, string verdict) => false;

    private static string Judge(byte[] bytes) => "";
}
