// Requests of public suites (http-parser, gunicorn, httpd), where the folder with them lies beside the repository. Their
// expectation is met, or the case stands in the table below with the rule behind the difference.

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
            var title = vector.GetProperty("title").GetString()!;
            var expect = vector.GetProperty("expect").GetString()!;
            var fault = Judge(vector.GetProperty("raw").GetBytesFromBase64());
            var isWanted = expect is "accept" or "pause" || expect.StartsWith("codes:200", StringComparison.Ordinal) && !expect.Contains("400", StringComparison.Ordinal);
            var isRefused = expect is "reject" or "codes:400" or "codes:501";
            if ((isWanted && fault is not null) || (isRefused && fault is null)) differences.Add($"{vector.GetProperty("corpus").GetString()} | {title} | {expect} | {fault ?? "accepted"}");
        }

        var unexplained = differences.Where(d => !VectorDifferences.All.Any(known => d.StartsWith(known.Case, StringComparison.Ordinal))).ToArray();
        Assert.True(unexplained.Length == 0, string.Join('\n', unexplained));
        var stale = VectorDifferences.All.Where(known => !differences.Exists(d => d.StartsWith(known.Case, StringComparison.Ordinal))).Select(known => known.Case).ToArray();
        Assert.True(stale.Length == 0, "explained, but not different any more: " + string.Join('\n', stale));
    }

    // Reads one message after the other, as a connection does; null: nothing was refused.
    private static string? Judge(byte[] bytes)
    {
        var head = new RequestHead();
        for (var at = 0; at < bytes.Length;)
        {
            head.Clear();
            var status = RequestParser.Parse(bytes.AsSpan(at), HeadLimits.Default, head, out var fault);
            if (status == ParseStatus.Bad) return fault.ToString();
            if (status == ParseStatus.NeedMore) return null;
            at += head.Length;
            if (head.HasUpgrade || head.KnownMethod == KnownMethod.Connect) return null; // What follows is another protocol's.
            if (head.Framing == BodyFraming.Length) at += (int)Math.Min(head.ContentLength, bytes.Length - at);
            else if (head.Framing == BodyFraming.Chunked && !Decode(bytes, ref at)) return "Chunked";
        }

        return null;
    }

    private static bool Decode(byte[] bytes, ref int at)
    {
        var decoder = new ChunkedDecoder();
        decoder.Reset();
        while (true)
        {
            var step = decoder.Next(bytes.AsSpan(at), out var framing, out var piece);
            at += framing;
            if (step != ChunkStep.Piece)
            {
                if (step == ChunkStep.NeedMore) at = bytes.Length;
                return step != ChunkStep.Bad;
            }

            decoder.Advance(piece);
            at += piece;
        }
    }
}
