// Cache-Control (RFC 9111 §5.2), with stale-while-revalidate and stale-if-error (RFC 5861) and immutable (RFC 8246), and its
// targeted form (RFC 9213 §2.1), a structured dictionary. Where a value makes no sense, the reading is the one that lets a
// cache do less: a lifetime is 0, a list of names is all of the response. RFC 9111 §4.2.1.

using Weir.Wire.Bytes;

namespace Weir.Wire.Fields;

/// <summary>Directives that are there or not.</summary>
[Flags]
public enum CacheDirectives : ushort
{
    None = 0,
    NoStore = 1 << 0,
    NoCache = 1 << 1,

    /// <summary>no-cache="…": of these fields only.</summary>
    NoCacheFields = 1 << 2,
    Private = 1 << 3,

    /// <summary>private="…": of these fields only.</summary>
    PrivateFields = 1 << 4,
    Public = 1 << 5,
    MustRevalidate = 1 << 6,
    ProxyRevalidate = 1 << 7,
    MustUnderstand = 1 << 8,
    NoTransform = 1 << 9,
    Immutable = 1 << 10,
    OnlyIfCached = 1 << 11,

    /// <summary>max-stale without a number.</summary>
    AnyStale = 1 << 12,
}

/// <summary>
/// What all lines of the field say together. Begin with the default, read line after line. Seconds are null where nothing is said.
/// </summary>
public struct CacheControl
{
    /// <summary>What no number of seconds exceeds; more is as much. RFC 9111 §1.2.2.</summary>
    public const long MostSeconds = 1L << 31;

    private CacheDirectives flags;

    public long? MaxAge { readonly get; private set; }

    public long? SharedMaxAge { readonly get; private set; }

    public long? StaleWhileRevalidate { readonly get; private set; }

    public long? StaleIfError { readonly get; private set; }

    public long? MaxStale { readonly get; private set; }

    public long? MinFresh { readonly get; private set; }

    /// <summary>Whether any of some directives is there.</summary>
    public readonly bool Has(CacheDirectives any) => (flags & any) != 0;

    /// <summary>Adds a directive, as if it had been read.</summary>
    public void Add(CacheDirectives directives) => flags |= directives;

    /// <summary>Reads a line of Cache-Control. Of what is said twice, what allows less counts.</summary>
    public void Read(ReadOnlySpan<byte> line)
    {
        foreach (var element in new ListElements(line))
        {
            if (ListElements.IsClosed(element))
            {
                ReadElement(element);
                continue;
            }

            // A quote that nothing ends hides what comes behind it; it counts all the same.
            foreach (var part in element.Split((byte)',')) ReadElement(Ascii.TrimWhiteSpace(element[part]));
        }
    }

    /// <summary>Reads a line of a targeted field. Of what is said twice, the last counts, as in every dictionary.</summary>
    /// <returns>False where it is no dictionary: the whole field counts as not there.</returns>
    public bool TryReadTargeted(ReadOnlySpan<byte> line)
    {
        var members = new StructuredDictionary(line);
        while (members.MoveNext())
        {
            var (number, isOff) = (members.Kind == StructuredKind.Integer ? Math.Clamp(members.Number, 0, MostSeconds) : 0, members is { Kind: StructuredKind.Boolean, Number: 0 });
            switch (DirectiveOf(members.Key))
            {
                case Directive.MaxAge: MaxAge = number; break;
                case Directive.SharedMaxAge: SharedMaxAge = number; break;
                case Directive.StaleWhileRevalidate: StaleWhileRevalidate = number; break;
                case Directive.StaleIfError: StaleIfError = number; break;
                case Directive.NoCache:
                    flags &= ~(CacheDirectives.NoCache | CacheDirectives.NoCacheFields);
                    if (!isOff) flags |= members.Kind == StructuredKind.Text && AreNames(members.Text) ? CacheDirectives.NoCacheFields : CacheDirectives.NoCache;
                    break;
                case Directive.Private:
                    flags &= ~(CacheDirectives.Private | CacheDirectives.PrivateFields);
                    if (!isOff) flags |= members.Kind == StructuredKind.Text && AreNames(members.Text) ? CacheDirectives.PrivateFields : CacheDirectives.Private;
                    break;
                case var directive when FlagOf(directive) is var flag and not CacheDirectives.None:
                    if (isOff || (IsPermission(directive) && members.Kind != StructuredKind.Boolean)) flags &= ~flag;
                    else flags |= flag;
                    break;
            }
        }

        return !members.IsBroken;
    }

    /// <summary>Whether a line's no-cache="…" or private="…" names a field.</summary>
    public static bool Nominates(ReadOnlySpan<byte> line, ReadOnlySpan<byte> field)
    {
        foreach (var element in new ListElements(line))
        {
            var equals = element.IndexOf((byte)'=');
            if (equals < 0 || DirectiveOf(element[..equals]) is not (Directive.NoCache or Directive.Private)) continue;
            if (TryArgument(element[(equals + 1)..], out var names) && Holds(names, field)) return true;
        }

        return false;
    }

    /// <summary>The same for a line of a targeted field.</summary>
    public static bool NominatesTargeted(ReadOnlySpan<byte> line, ReadOnlySpan<byte> field)
    {
        var members = new StructuredDictionary(line);
        while (members.MoveNext())
        {
            if (members.Kind == StructuredKind.Text && DirectiveOf(members.Key) is Directive.NoCache or Directive.Private && Holds(members.Text, field)) return true;
        }

        return false;
    }

    private void ReadElement(ReadOnlySpan<byte> element)
    {
        var equals = element.IndexOf((byte)'=');
        var name = equals < 0 ? element : element[..equals];
        var directive = DirectiveOf(Ascii.TrimWhiteSpace(name));
        if (directive == Directive.Other) return;
        var isSound = TryArgument(equals < 0 ? default : element[(equals + 1)..], out var argument) && name.IndexOfAny(" \t"u8) < 0;
        if (!isSound) argument = default;
        switch (directive)
        {
            case Directive.MaxAge: MaxAge = Less(MaxAge, Seconds(argument)); break;
            case Directive.SharedMaxAge: SharedMaxAge = Less(SharedMaxAge, Seconds(argument)); break;
            case Directive.StaleWhileRevalidate: StaleWhileRevalidate = Less(StaleWhileRevalidate, Seconds(argument)); break;
            case Directive.StaleIfError: StaleIfError = Less(StaleIfError, Seconds(argument)); break;
            case Directive.MinFresh: MinFresh = Math.Max(MinFresh ?? 0, Seconds(argument)); break;
            case Directive.MaxStale when equals < 0: flags |= CacheDirectives.AnyStale; break;
            case Directive.MaxStale: MaxStale = Less(MaxStale, Seconds(argument)); break;
            case Directive.NoCache: flags |= equals >= 0 && AreNames(argument) ? CacheDirectives.NoCacheFields : CacheDirectives.NoCache; break;
            case Directive.Private: flags |= equals >= 0 && AreNames(argument) ? CacheDirectives.PrivateFields : CacheDirectives.Private; break;

            // What takes no argument means the same with one, but where it would allow more.
            case var _ when equals < 0 || !IsPermission(directive): flags |= FlagOf(directive); break;
        }
    }

    private static long Less(long? known, long said) => known is { } other && other < said ? other : said;

    // Digits; anything else is 0.
    private static long Seconds(ReadOnlySpan<byte> argument)
    {
        if (argument.IsEmpty || argument.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0) return 0;
        argument = argument.TrimStart((byte)'0');
        if (argument.Length > 10) return MostSeconds;
        var seconds = 0L;
        foreach (var digit in argument) seconds = (seconds * 10) + (digit - '0');
        return Math.Min(seconds, MostSeconds);
    }

    // token or quoted-string, whichever the directive is defined with (RFC 9111 §5.2); false: neither.
    private static bool TryArgument(ReadOnlySpan<byte> written, out ReadOnlySpan<byte> argument)
    {
        argument = written;
        if (written.IsEmpty || written[0] != '"') return Ascii.IsToken(written);
        if (written.Length < 2 || written[^1] != '"') return false;
        argument = written[1..^1];
        return argument.IndexOf((byte)'"') < 0;
    }

    private static bool AreNames(ReadOnlySpan<byte> list)
    {
        var any = false;
        foreach (var name in new ListElements(list))
        {
            if (!Ascii.IsToken(name)) return false;
            any = true;
        }

        return any;
    }

    private static bool Holds(ReadOnlySpan<byte> names, ReadOnlySpan<byte> field)
    {
        foreach (var name in new ListElements(names))
        {
            if (Ascii.EqualsIgnoreCase(name, field)) return true;
        }

        return false;
    }

    private enum Directive : byte
    {
        Other,
        MaxAge,
        SharedMaxAge,
        NoStore,
        NoCache,
        Private,
        Public,
        MustRevalidate,
        ProxyRevalidate,
        StaleWhileRevalidate,
        StaleIfError,
        MaxStale,
        MinFresh,
        MustUnderstand,
        NoTransform,
        Immutable,
        OnlyIfCached,
    }

    private static CacheDirectives FlagOf(Directive directive) => directive switch
    {
        Directive.NoStore => CacheDirectives.NoStore,
        Directive.Public => CacheDirectives.Public,
        Directive.MustRevalidate => CacheDirectives.MustRevalidate,
        Directive.ProxyRevalidate => CacheDirectives.ProxyRevalidate,
        Directive.MustUnderstand => CacheDirectives.MustUnderstand,
        Directive.NoTransform => CacheDirectives.NoTransform,
        Directive.Immutable => CacheDirectives.Immutable,
        Directive.OnlyIfCached => CacheDirectives.OnlyIfCached,
        _ => CacheDirectives.None,
    };

    // must-understand takes the effect of no-store away.
    private static bool IsPermission(Directive directive) => directive is Directive.Public or Directive.Immutable or Directive.MustUnderstand;

    private static Directive DirectiveOf(ReadOnlySpan<byte> name) => name.Length switch
    {
        6 when Is(name, "public"u8) => Directive.Public,
        7 when Is(name, "max-age"u8) => Directive.MaxAge,
        7 when Is(name, "private"u8) => Directive.Private,
        8 when Is(name, "s-maxage"u8) => Directive.SharedMaxAge,
        8 when Is(name, "no-store"u8) => Directive.NoStore,
        8 when Is(name, "no-cache"u8) => Directive.NoCache,
        9 when Is(name, "max-stale"u8) => Directive.MaxStale,
        9 when Is(name, "min-fresh"u8) => Directive.MinFresh,
        9 when Is(name, "immutable"u8) => Directive.Immutable,
        12 when Is(name, "no-transform"u8) => Directive.NoTransform,
        14 when Is(name, "stale-if-error"u8) => Directive.StaleIfError,
        14 when Is(name, "only-if-cached"u8) => Directive.OnlyIfCached,
        15 when Is(name, "must-revalidate"u8) => Directive.MustRevalidate,
        15 when Is(name, "must-understand"u8) => Directive.MustUnderstand,
        16 when Is(name, "proxy-revalidate"u8) => Directive.ProxyRevalidate,
        22 when Is(name, "stale-while-revalidate"u8) => Directive.StaleWhileRevalidate,
        _ => Directive.Other,
    };

    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> directive) => Ascii.EqualsIgnoreCase(name, directive);
}
