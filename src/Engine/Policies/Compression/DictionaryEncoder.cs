// Bodies compressed by a dictionary (RFC 9842 §4, §5): a mark, the dictionary's hash, and a stream of zstd or Brotli for which the
// dictionary's bytes stand before the body's. Behind the answers only: to read in a dictionary takes longer than a turn of a loop.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Policies.Compression;

/// <summary>Compresses whole bodies by one dictionary.</summary>
public sealed class DictionaryEncoder : BodyEncoder
{
    // Longer bodies are not compressed as hard as can be: it would take minutes.
    private const long Short = 4 << 20;

    private static readonly byte[] ZstdName = "dcz"u8.ToArray();
    private static readonly byte[] BrotliName = "dcb"u8.ToArray();

    // A frame that is skipped, of the 32 bytes of the hash.
    private static readonly byte[] ZstdMark = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0x00, 0x00, 0x00];
    private static readonly byte[] BrotliMark = [0xff, 0x44, 0x43, 0x42];

    private readonly SharedDictionary dictionary;
    private readonly Coding inner;

    private DictionaryEncoder(SharedDictionary dictionary, Coding inner)
    {
        (this.dictionary, this.inner) = (dictionary, inner);
        Coding = [.. Name, .. dictionary.Hash];
    }

    /// <summary>A few forms by dictionaries are enough: one for each of the versions that clients still have.</summary>
    public const int MostForms = 8;

    /// <summary>As it stands in Content-Encoding.</summary>
    public byte[] Name => NameOf(inner);

    public override byte[] Coding { get; }

    /// <summary>Who has an old version asks but once.</summary>
    public override int WantedEnough => 1;

    public override int MostBeside => MostForms;

    /// <summary>The name of a coding with a dictionary; empty: there is none.</summary>
    public static byte[] NameOf(Coding coding) => coding switch { Compression.Coding.Zstd => ZstdName, Compression.Coding.Brotli => BrotliName, _ => [] };

    /// <summary>Whether this program can compress so.</summary>
    public static bool Has(Coding coding) => coding == Compression.Coding.Zstd || (coding == Compression.Coding.Brotli && PreparedBrotli.IsThere);

    /// <summary>The encoder of a dictionary.</summary>
    public static DictionaryEncoder Of(SharedDictionary dictionary, Coding coding)
    {
        // Two that are made at once are the same.
        if (coding == Compression.Coding.Zstd) return (DictionaryEncoder)(dictionary.Zstd ??= new DictionaryEncoder(dictionary, coding));
        return (DictionaryEncoder)(dictionary.Brotli ??= new DictionaryEncoder(dictionary, coding));
    }

    public override bool TryEncode(long length, int pieces, PieceAt piece, Span<byte> into, out int written)
    {
        ReadOnlySpan<byte> mark = inner == Compression.Coding.Zstd ? ZstdMark : BrotliMark;
        written = 0;
        var head = mark.Length + dictionary.Hash.Length;
        if (into.Length <= head) return false;
        mark.CopyTo(into);
        dictionary.Hash.CopyTo(into[mark.Length..]);
        var level = length <= Short ? Codings.MostLevel(inner) : Codings.Levels(inner).Most;
        using var prepared = inner == Compression.Coding.Brotli ? new PreparedBrotli(dictionary.Content, level) : null;
        using Coder coder = prepared is null ? new ZstdEncoder(level, dictionary.Content, length) : new BrotliEncoder(level, prepared);
        if (!WholeBody.TryCompress(coder, length, pieces, piece, into[head..], out written)) return false;
        written += head;
        return true;
    }
}
