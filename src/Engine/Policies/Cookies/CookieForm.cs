// A Set-Cookie of our own: a name, a value, and attributes that are known beforehand (RFC 6265 §4.1).

using System.Text;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Cookies;

/// <summary>When a cookie is for encrypted connections only.</summary>
public enum CookieSecure : byte
{
    /// <summary>Where it is set over one, and where browsers would not take it otherwise.</summary>
    Auto,
    Always,
    Never,
}

/// <summary>A cookie but for its value. Immutable.</summary>
public sealed class CookieForm
{
    private static readonly ByteRange FieldName = ByteRange.Of("Set-Cookie"u8.ToArray());
    private static readonly ByteRange CacheFieldName = ByteRange.Of("Cache-Control"u8.ToArray());
    private static readonly ByteRange Private = ByteRange.Of("private"u8.ToArray());

    private readonly byte[] attributes;
    private readonly byte[] secureAttributes;
    private readonly CookieSecure secure;

    /// <param name="name">Its name, a token.</param>
    /// <param name="path">For which paths.</param>
    /// <param name="domain">For which domain; null: the host that was asked.</param>
    /// <param name="maxAge">How long it lives, in seconds; null: as long as the browser.</param>
    /// <param name="sameSite">Lax, Strict or None.</param>
    /// <param name="secure">When it is for encrypted connections only.</param>
    public CookieForm(string name, string path = "/", string? domain = null, long? maxAge = null, string sameSite = "Lax", CookieSecure secure = CookieSecure.Auto)
    {
        Name = Encoding.ASCII.GetBytes(name);
        attributes = Encoding.ASCII.GetBytes($"; Path={path}{(domain is null ? "" : $"; Domain={domain}")}{(maxAge is null ? "" : $"; Max-Age={maxAge}")}; HttpOnly; SameSite={sameSite}");
        secureAttributes = [.. attributes, .. "; Secure"u8];
        this.secure = secure == CookieSecure.Auto && (sameSite == "None" || AsksForSecure(name)) ? CookieSecure.Always : secure;
    }

    public byte[] Name { get; }

    // RFC 6265bis §4.1.3: browsers take such names only so, as they do what other sites may bring along. What speaks TLS before us
    // need not be trusted.
    private static bool AsksForSecure(string name) => name.StartsWith("__Host-", StringComparison.OrdinalIgnoreCase) || name.StartsWith("__Secure-", StringComparison.OrdinalIgnoreCase);

    /// <summary>Begins the field; the caller fills the value's place.</summary>
    /// <returns>False: there is no room.</returns>
    public bool TryBegin(Exchange exchange, int length, out Span<byte> value, out ByteRange field)
    {
        var end = secure == CookieSecure.Always || (secure == CookieSecure.Auto && exchange.Request.IsSecure) ? secureAttributes : attributes;
        value = default;
        if (!exchange.Scratch.TryTake(Name.Length + 1 + length + end.Length, out var room, out field)) return false;
        var to = new SpanWriter(room);
        to.Write(Name);
        to.Write((byte)'=');
        value = to.Free[..length];
        to.Advance(length);
        to.Write(end);
        return true;
    }

    /// <summary>
    /// Adds the field. What a cache between here and the client may keep for others must not hold it: an answer that says
    /// nothing about caches becomes private (RFC 9111 §7.3); one that does is left to its word.
    /// </summary>
    public static void Add(Exchange exchange, ByteRange field)
    {
        var response = exchange.Response;
        response.Fields.Add(KnownField.SetCookie, FieldName, field);
        if (!response.IsTunnel && !SaysCaching(response.Fields)) response.Fields.Add(KnownField.CacheControl, CacheFieldName, Private);
    }

    /// <summary>Whether the response sets a cookie of this name already.</summary>
    public bool IsSetBy(FieldBlock fields)
    {
        if (!fields.Index.Has(KnownField.SetCookie)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.SetCookie && !fields.IsDropped(i) && IsNamedBy(fields.Value(i))) return true;
        }

        foreach (ref readonly var added in fields.Added)
        {
            if (added.Known == KnownField.SetCookie && IsNamedBy(added.Value.Span)) return true;
        }

        return false;
    }

    /// <summary>Takes out what the response sets under this name.</summary>
    public void TakeOut(FieldBlock fields)
    {
        if (!fields.Index.Has(KnownField.SetCookie)) return;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.SetCookie && IsNamedBy(fields.Value(i))) fields.Drop(i);
        }

        for (var i = fields.Added.Length - 1; i >= 0; i--)
        {
            if (fields.Added[i].Known == KnownField.SetCookie && IsNamedBy(fields.Added[i].Value.Span)) fields.RemoveAdded(i);
        }
    }

    // RFC 6265 §5.2: the name is what stands before the first '=' of the first part.
    private bool IsNamedBy(ReadOnlySpan<byte> setCookie)
    {
        var end = setCookie.IndexOf((byte)';');
        var pair = end < 0 ? setCookie : setCookie[..end];
        var equals = pair.IndexOf((byte)'=');
        return equals >= 0 && pair[..equals].Trim(" \t"u8).SequenceEqual(Name);
    }

    private static bool SaysCaching(FieldBlock fields)
    {
        for (var i = 0; fields.Index.Has(KnownField.CacheControl) && i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.CacheControl && !fields.IsDropped(i)) return true;
        }

        foreach (ref readonly var added in fields.Added)
        {
            if (added.Known == KnownField.CacheControl) return true;
        }

        return false;
    }
}
