// By which fields of a request the answers for one target differ (RFC 9111 §4.1, RFC 9110 §12.5.5), and what a request's values
// of them are as a key: two requests with one key get one answer.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>How much a response's Vary says.</summary>
public enum VaryExtent : byte
{
    Nothing,
    Names,

    /// <summary>"*", or something that is no name: nothing can match it.</summary>
    Any,

    /// <summary>More than <see cref="VaryRule"/> takes.</summary>
    TooMuch,
}

/// <summary>The nominated names: lower case, in order, each once. Immutable.</summary>
public sealed class VaryRule : IEquatable<VaryRule>
{
    /// <summary>The most names a Vary may list.</summary>
    public const int MostNames = 16;

    /// <summary>The most bytes they may have.</summary>
    public const int MostNameBytes = 512;

    /// <summary>The most bytes of a key. A request whose values need more is answered by the origin, and its answer is not stored.</summary>
    public const int MostKeyBytes = 4096;

    private readonly byte[][] names;
    private readonly KnownField[] known;

    private VaryRule(byte[][] names)
    {
        this.names = names;
        known = Array.ConvertAll(names, static n => KnownFields.Lookup(n));
        Names = string.Join(", ", names.Select(System.Text.Encoding.ASCII.GetString));
    }

    /// <summary>Nothing: one answer for all.</summary>
    public static VaryRule None { get; } = new([]);

    /// <summary>The names, as one value of Vary: for people, and to be kept.</summary>
    public string Names { get; }

    public bool IsNone => names.Length == 0;

    /// <summary>What a response's Vary comes to; reads all that was received, as <see cref="ResponseDirectives.Of"/> does.</summary>
    public static VaryExtent Look(FieldBlock response)
    {
        if (!response.Index.Has(KnownField.Vary)) return VaryExtent.Nothing;
        var (count, bytes) = (0, 0);
        for (var i = 0; i < response.Index.Count; i++)
        {
            if (response.Index[i].Known != KnownField.Vary) continue;
            foreach (var name in new ListElements(response.Value(i)))
            {
                if (name.SequenceEqual("*"u8) || !Ascii.IsToken(name)) return VaryExtent.Any;
                count++;
                bytes += name.Length;
            }
        }

        if (count > MostNames || bytes > MostNameBytes) return VaryExtent.TooMuch;
        return count == 0 ? VaryExtent.Nothing : VaryExtent.Names;
    }

    /// <summary>The rule of a response that <see cref="Look"/> found nothing against.</summary>
    /// <param name="response">Its fields.</param>
    /// <param name="hasCookies">Whether the cookies that were sent on are in the key already.</param>
    /// <param name="coding">The content's coding: what has one is for those who take it, and what is compressed by a dictionary for who has that, said or not (RFC 9842 §6.2).</param>
    public static VaryRule Of(FieldBlock response, bool hasCookies = false, ReadOnlySpan<byte> coding = default)
    {
        if (Look(response) is VaryExtent.Any or VaryExtent.TooMuch) return None;
        var list = new List<byte[]>();
        if (IsByDictionary(coding)) Gather("accept-encoding, available-dictionary"u8, list);
        else if (IsCoded(coding)) Gather("accept-encoding"u8, list);
        for (var i = 0; i < response.Index.Count; i++)
        {
            if (response.Index[i].Known == KnownField.Vary) Gather(response.Value(i), list);
        }

        if (hasCookies) list.RemoveAll(static name => name.AsSpan().SequenceEqual("cookie"u8));
        return list.Count == 0 ? None : new VaryRule([.. list]);
    }

    /// <summary>The rule that was kept as <see cref="Names"/>.</summary>
    public static VaryRule Of(ReadOnlySpan<byte> names)
    {
        var list = new List<byte[]>();
        Gather(names, list);
        return list.Count == 0 ? None : new VaryRule([.. list]);
    }

    /// <summary>Writes a request's key.</summary>
    /// <param name="request">Its fields, as they are sent on: what the origin chose by.</param>
    /// <param name="into">At least <see cref="MostKeyBytes"/>.</param>
    /// <param name="length">Bytes written.</param>
    /// <returns>False where it would be too long.</returns>
    public bool TryWriteKey(FieldBlock request, Span<byte> into, out int length)
    {
        length = 0;
        var to = new SpanWriter(into[..MostKeyBytes]);
        for (var i = 0; i < names.Length; i++)
        {
            if (!VaryValue.TryWrite(ref to, request, known[i], names[i])) return false;
        }

        length = to.Length;
        return true;
    }

    /// <summary>Whether a request's key is this one.</summary>
    public bool Matches(FieldBlock request, ReadOnlySpan<byte> key)
    {
        Span<byte> own = stackalloc byte[MostKeyBytes];
        return TryWriteKey(request, own, out var length) && own[..length].SequenceEqual(key);
    }

    public bool Equals(VaryRule? other) => other is not null && Names == other.Names;

    public override bool Equals(object? obj) => Equals(obj as VaryRule);

    public override int GetHashCode() => Names.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Names;

    private static bool IsCoded(ReadOnlySpan<byte> codings) => !codings.IsEmpty && !Ascii.EqualsIgnoreCase(codings, "identity"u8);

    private static bool IsByDictionary(ReadOnlySpan<byte> coding)
    {
        foreach (var one in new ListElements(coding))
        {
            if (Ascii.EqualsIgnoreCase(one, "dcz"u8) || Ascii.EqualsIgnoreCase(one, "dcb"u8)) return true;
        }

        return false;
    }

    private static void Gather(ReadOnlySpan<byte> line, List<byte[]> into)
    {
        foreach (var element in new ListElements(line))
        {
            var name = new byte[element.Length];
            Ascii.ToLower(element, name);
            var at = 0;
            while (at < into.Count && into[at].AsSpan().SequenceCompareTo(name) < 0) at++;
            if (at == into.Count || !into[at].AsSpan().SequenceEqual(name)) into.Insert(at, name);
        }
    }
}
