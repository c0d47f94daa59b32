// The request that fetches for a cache, of the one that was the first to ask: what it gets is everybody's, so it says nothing that
// the key does not tell.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Makes a client's request the cache's.</summary>
internal static class FillRequest
{
    private static readonly ByteRange ForwardedHost = ByteRange.Of("X-Forwarded-Host"u8.ToArray());

    /// <param name="exchange">The fetch, with a copy of the client's request; or a client's own that may change what is kept.</param>
    /// <param name="recipe">How its key is made.</param>
    /// <param name="url">Its key's URL.</param>
    /// <returns>False where there is no room.</returns>
    public static bool TryMake(Exchange exchange, KeyRecipe recipe, ByteRange url)
    {
        var request = exchange.Request;
        // A host in capitals, a dot behind it, a port that says nothing: the key has none of it, and a server may care.
        request.Authority = KeyRecipe.AuthorityOf(url);
        if (!exchange.IsFromTrustedProxy && IsAdded(request.Fields, KnownField.XForwardedHost)) request.Fields.Set(KnownField.XForwardedHost, ForwardedHost, request.Authority);
        return UnkeyedFields.TryDrop(exchange, recipe.Parts);
    }

    private static bool IsAdded(FieldBlock fields, KnownField known)
    {
        foreach (ref readonly var field in fields.Added)
        {
            if (field.Known == known) return true;
        }

        return false;
    }
}
