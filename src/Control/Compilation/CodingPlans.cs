// What is written about the coding of bodies, compiled.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Compression;

namespace Weir.Control.Compilation;

internal static class CodingPlans
{
    /// <summary>What becomes of responses; null: nothing.</summary>
    public static ResponseCodingPlan? Response(CompressConfig? compress, ResponseBodyConfig? body, bool isKept = false)
    {
        var plan = new ResponseCodingPlan
        {
            Compress = compress is null or { Off: true } ? null : new CompressionPlan
            {
                Codings = [.. Named(compress.Codings).Select(coding => new OfferedCoding(coding, Level(compress, coding)))],
                Types = Types(compress.Types),
                MinSize = compress.MinSize ?? 1024,
                CrossSite = compress.CrossSite ?? true,
                Dictionaries = isKept && HasDictionaries(compress),
            },
            Decompress = body is null or { Decompress: false, Accept.Count: 0 } ? null : new DecompressionPlan { MostSize = body.MostSize ?? long.MaxValue, MostRatio = (int)(body.MostRatio ?? 100) },
        };
        return plan is { Compress: null, Decompress: null } ? null : plan;
    }

    /// <summary>What says of kept answers that they are dictionaries; null: nothing.</summary>
    public static MarkAsDictionary? Marks(CompressConfig? compress) => !HasDictionaries(compress) ? null
        : new MarkAsDictionary(compress!.Dictionaries!.Match ?? "", compress.Dictionaries.Destinations, Types(compress.Types), compress.MinSize ?? 1024);

    /// <summary>What becomes of requests; null: nothing.</summary>
    public static RequestCodingPlan? Request(RequestBodyConfig? body) => body is null or { Decompress: false, Compress: null } ? null : new RequestCodingPlan
    {
        Decompress = body.Decompress ? Named(body.Codings) : [],
        Compress = body.Compress is { } name && Codings.Parse(name) is var coding ? new OfferedCoding(coding, (int)(body.Level ?? Codings.Levels(coding).Usual)) : default,
        Types = Types(body.Types),
        MinSize = body.MinSize ?? 1024,
        MostSize = body.MostSize ?? 1L << 30,
        MostRatio = (int)(body.MostRatio ?? 100),
    };

    /// <summary>What origins are asked for; null: what clients take.</summary>
    public static IRequestPolicy? Asked(ResponseBodyConfig? body) => body is null or { Accept.Count: 0 } ? null : new AskedCodings(Encoding.ASCII.GetBytes(string.Join(", ", body.Accept)));

    private static bool HasDictionaries(CompressConfig? compress) => compress is { Off: false, Dictionaries.Off: false };

    private static Coding[] Named(List<string> names) => names.Count == 0 ? Codings.All : [.. names.Select(Codings.Parse)];

    private static MediaTypeList Types(List<string> types) => new(types.Count == 0 ? MediaTypeList.Usual : types);

    private static int Level(CompressConfig compress, Coding coding) => (int)(compress.Levels.Find(l => Codings.Parse(l.Name) == coding)?.Value ?? Codings.Levels(coding).Usual);
}
