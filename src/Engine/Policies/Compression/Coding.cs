// The content codings that are spoken here. RFC 9110 §8.4, RFC 1952, RFC 7932, RFC 8878.

using Weir.Wire.Bytes;

namespace Weir.Engine.Policies.Compression;

/// <summary>A content coding.</summary>
public enum Coding : byte
{
    /// <summary>None.</summary>
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

/// <summary>Names of codings, and the way back.</summary>
public static class Codings
{
    private static readonly byte[][] Names = ["identity"u8.ToArray(), "gzip"u8.ToArray(), "br"u8.ToArray(), "zstd"u8.ToArray()];

    /// <summary>How many there are, identity included.</summary>
    public const int Count = 4;

    /// <summary>Those that change bytes, the best first.</summary>
    public static readonly Coding[] All = [Coding.Zstd, Coding.Brotli, Coding.Gzip];

    /// <summary>As it stands in fields. Must not be changed.</summary>
    public static byte[] Name(Coding coding) => Names[(int)coding];

    /// <summary>Finds one by its name, ignoring case; x-gzip is gzip (RFC 9110 §8.4.1.3).</summary>
    public static bool TryFind(ReadOnlySpan<byte> name, out Coding coding)
    {
        for (var i = 0; i < Names.Length; i++)
        {
            if (!Ascii.EqualsIgnoreCase(name, Names[i])) continue;
            coding = (Coding)i;
            return true;
        }

        coding = Coding.Gzip;
        return Ascii.EqualsIgnoreCase(name, "x-gzip"u8);
    }

    /// <summary>Finds one by its name in a configuration.</summary>
    public static Coding Parse(string name) => TryFind(System.Text.Encoding.ASCII.GetBytes(name), out var coding) ? coding : throw new ArgumentException($"'{name}' is no coding");

    /// <summary>The levels that answers may be compressed with while their clients wait: beyond, a turn of the loop would take too long.</summary>
    public static (int Least, int Most, int Usual) Levels(Coding coding) => coding switch
    {
        Coding.Gzip => (1, 9, 5),
        Coding.Brotli => (0, 9, 4),
        _ => (1, 12, 3),
    };

    /// <summary>The highest level there is: for what nobody waits for.</summary>
    public static int MostLevel(Coding coding) => coding switch
    {
        Coding.Gzip => 9,
        Coding.Brotli => 11,
        _ => 19,
    };
}
