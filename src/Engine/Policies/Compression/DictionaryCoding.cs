// Responses compressed by what their client has already (RFC 9842): dcz and dcb. Only what is kept for all, over TLS, and only
// where who asks may read the answer: its length tells something of both.
//
//   Available-Dictionary → a dictionary that is kept → the form by it, if it is there already; else it is made behind the answers

using System.Buffers.Text;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Compression;

/// <summary>Chooses dictionaries for responses.</summary>
public static class DictionaryCoding
{
    private static readonly byte[] AvailableName = "Available-Dictionary"u8.ToArray();
    private static readonly byte[] IdName = "Dictionary-ID"u8.ToArray();

    /// <summary>Names of the fields that clients speak of dictionaries by. Must not be changed.</summary>
    public static readonly byte[][] Asking = [AvailableName, IdName];

    /// <summary>Reads the hash that a client tells (RFC 9842 §2.2).</summary>
    /// <param name="fields">The request's, as the client wrote them.</param>
    /// <param name="hash">Room for <see cref="SharedDictionary.HashBytes"/>.</param>
    /// <returns>False: it has none, or what it says is none.</returns>
    public static bool TryRead(FieldBlock fields, Span<byte> hash)
    {
        if (!fields.Index.Has(KnownField.Other)) return false;
        var found = false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Other || !Ascii.EqualsIgnoreCase(fields.Name(i), AvailableName)) continue;
            if (found || !TryParse(fields.Value(i), hash)) return false;
            found = true;
        }

        return found;
    }

    /// <summary>Reads one value: a byte sequence of structured fields (RFC 8941 §3.3.5) of 32 bytes, and nothing behind it.</summary>
    public static bool TryParse(ReadOnlySpan<byte> value, Span<byte> hash)
    {
        Span<byte> bytes = stackalloc byte[SharedDictionary.HashBytes + 1];
        value = value.Trim((byte)' ');
        if (value.Length != 46 || value[0] != ':' || value[^1] != ':' || value[1..^1].ContainsAny(" \t\r\n"u8)) return false;
        if (Base64.DecodeFromUtf8(value[1..^1], bytes, out _, out var written) != System.Buffers.OperationStatus.Done || written != SharedDictionary.HashBytes) return false;
        bytes[..written].CopyTo(hash);
        return true;
    }

    /// <summary>What there is of a response that dictionaries could be used for; null: they could not.</summary>
    internal static KeptBody? Of(Exchange exchange)
    {
        if (!exchange.Request.IsSecure || exchange.Held is not KeptBody kept) return null;
        var fields = exchange.Response.Fields;
        if (SetsCookies(fields) || !IsReadable(exchange))
        {
            fields.Drop(KnownField.Other, MarkAsDictionary.FieldName);
            return null;
        }

        return kept;
    }

    /// <summary>Compresses the response by a dictionary that its client has, if there is such a form of it.</summary>
    /// <returns>False, with everything as it was: there is none, or not yet.</returns>
    internal static bool Begin(Exchange exchange, CompressionPlan plan, KeptBody kept, BodyCoders coders)
    {
        Span<byte> hash = stackalloc byte[SharedDictionary.HashBytes];
        if (!TryRead(exchange.Request.Fields, hash)) return false;
        if (Accepted(exchange.Request, plan) is not { } coding || kept.Dictionary(hash) is not { } dictionary) return false;
        var encoder = DictionaryEncoder.Of(dictionary, coding);
        if (!kept.Has(encoder) || !ResponseCoding.TryTell(exchange, encoder.Name)) return false;
        if (exchange.Response.HasBody)
        {
            kept.GoOver(encoder);
            exchange.Response.BodyLength = kept.Length;
        }

        exchange.ResponseCoding = encoder.Name;
        coders.CountByDictionary(coding);
        return true;
    }

    // That one of the two which the client would rather have, and no less gladly than the best without a dictionary.
    private static Coding? Accepted(Request request, CompressionPlan plan)
    {
        Span<int> qualities = stackalloc int[plan.NamesByDictionary.Length];
        var plain = AcceptedCodings.Read(request.Fields, plan.NamesByDictionary, qualities);
        var (best, offered) = (-1, plan.Codings.Length);
        for (var i = 0; i < offered; i++)
        {
            if (qualities[offered + i] > 0 && DictionaryEncoder.Has(plan.Codings[i].Coding) && (best < 0 || qualities[offered + i] > qualities[offered + best])) best = i;
        }

        if (best < 0 || plain > qualities[offered + best]) return null;
        foreach (var other in qualities[..offered])
        {
            if (other > qualities[offered + best]) return null;
        }

        return plan.Codings[best].Coding;
    }

    private static bool SetsCookies(FieldBlock fields)
    {
        foreach (var _ in fields.Sent(KnownField.SetCookie)) return true;
        return false;
    }

    // RFC 9842 §9.3.2. Fetch metadata: browsers say who brought a request about, and what may be done with its answer.
    private static bool IsReadable(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        var site = Find(fields, "sec-fetch-site"u8);
        var mode = Find(fields, "sec-fetch-mode"u8);
        if (mode.IsEmpty || Ascii.EqualsIgnoreCase(site, "same-origin"u8) || Ascii.EqualsIgnoreCase(mode, "navigate"u8) || Ascii.EqualsIgnoreCase(mode, "same-origin"u8)) return true;
        if (!Ascii.EqualsIgnoreCase(mode, "cors"u8)) return false;
        var origin = fields.First(KnownField.Origin);
        var allowed = Allowed(exchange.Response.Fields);
        return !origin.IsEmpty && !allowed.IsEmpty && (allowed.SequenceEqual("*"u8) || allowed.SequenceEqual(origin));
    }

    private static ReadOnlySpan<byte> Find(FieldBlock fields, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && Ascii.EqualsIgnoreCase(fields.Name(i), name)) return fields.Value(i);
        }

        return default;
    }

    // As it is sent: an operator's edit counts.
    private static ReadOnlySpan<byte> Allowed(FieldBlock fields)
    {
        ReadOnlySpan<byte> name = "access-control-allow-origin"u8;
        foreach (ref readonly var added in fields.Added)
        {
            if (Ascii.EqualsIgnoreCase(added.Name.Span, name)) return added.Value.Span;
        }

        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (!fields.IsDropped(i) && Ascii.EqualsIgnoreCase(fields.Name(i), name)) return fields.Value(i);
        }

        return default;
    }
}

/// <summary>Asks origins of routes with dictionaries for what has no coding: only that can be one, or be compressed by one. Immutable.</summary>
public sealed class AskedPlain : IRequestPolicy
{
    private static readonly byte[] Plain = "identity"u8.ToArray();

    public Verdict Apply(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        CodingFields.Accept(fields, Plain);
        foreach (var name in DictionaryCoding.Asking) fields.Drop(KnownField.Other, name);
        return Verdict.Continue;
    }
}
