// What a route says about the coding of bodies, compiled. Immutable.

using System.Text;

namespace Weir.Engine.Policies.Compression;

/// <summary>A coding that is offered, and how hard it tries.</summary>
public readonly record struct OfferedCoding(Coding Coding, int Level);

/// <summary>How responses are compressed for clients (`compress`).</summary>
public sealed record CompressionPlan
{
    /// <summary>What is offered; of those that a client takes equally gladly, the first.</summary>
    public required OfferedCoding[] Codings { get; init; }

    public MediaTypeList Types { get; init; } = new(MediaTypeList.Usual);

    /// <summary>Shorter bodies, of a known length, stay as they are.</summary>
    public long MinSize { get; init; } = 1024;

    /// <summary>Whether answers to requests that other sites bring about are compressed too.</summary>
    public bool CrossSite { get; init; } = true;

    /// <summary>Whether what is kept is compressed by dictionaries that clients have.</summary>
    public bool Dictionaries { get; init; }

    /// <summary>The names of <see cref="Codings"/>, and in the same order those with a dictionary.</summary>
    internal byte[][] NamesByDictionary => namesByDictionary ??= [.. Names, .. Codings.Select(static c => DictionaryEncoder.NameOf(c.Coding))];

    private byte[][]? namesByDictionary;

    /// <summary>The names of <see cref="Codings"/>.</summary>
    internal byte[][] Names => names ??= [.. Codings.Select(static c => Compression.Codings.Name(c.Coding))];

    private byte[][]? names;

    /// <summary>The level of a coding that is offered.</summary>
    public int LevelOf(Coding coding)
    {
        foreach (var offered in Codings)
        {
            if (offered.Coding == coding) return offered.Level;
        }

        return Compression.Codings.Levels(coding).Usual;
    }
}

/// <summary>How responses are decompressed for clients that do not take what came (`response_body`).</summary>
public sealed record DecompressionPlan
{
    /// <summary>Bytes that may come out of one body.</summary>
    public long MostSize { get; init; } = long.MaxValue;

    /// <summary>So many times as many as went in; 0: any number.</summary>
    public int MostRatio { get; init; } = 100;
}

/// <summary>What becomes of responses' codings.</summary>
public sealed record ResponseCodingPlan
{
    /// <summary>null: nothing is compressed.</summary>
    public CompressionPlan? Compress { get; init; }

    /// <summary>null: nothing is decompressed.</summary>
    public DecompressionPlan? Decompress { get; init; }
}

/// <summary>What becomes of requests' codings (`request_body`).</summary>
public sealed record RequestCodingPlan
{
    /// <summary>Codings that are taken off; none: bodies are not decompressed.</summary>
    public Coding[] Decompress { get; init; } = [];

    /// <summary>The coding that is put on; Identity: bodies are not compressed.</summary>
    public OfferedCoding Compress { get; init; }

    /// <summary>What is compressed.</summary>
    public MediaTypeList Types { get; init; } = new(MediaTypeList.Usual);

    /// <summary>Shorter bodies, of a known length, are not compressed.</summary>
    public long MinSize { get; init; } = 1024;

    public long MostSize { get; init; } = 1L << 30;

    public int MostRatio { get; init; } = 100;

    /// <summary>What may be sent, for a client that sent something else.</summary>
    internal byte[] Accepted => accepted ??= Encoding.ASCII.GetBytes(string.Join(", ", Decompress.Select(static c => Encoding.ASCII.GetString(Codings.Name(c)))));

    private byte[]? accepted;
}
