// Tags are between the origin and its caches: they tell how a site is built, and by what it can be purged.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Takes tags out of what clients get. Immutable.</summary>
public sealed class HideTags : IResponsePolicy
{
    public bool Apply(Exchange exchange)
    {
        ApplyInterim(exchange);
        return true;
    }

    public void ApplyInterim(Exchange exchange)
    {
        var fields = exchange.Response.Fields;
        if (!fields.Index.Has(KnownField.Other)) return;
        fields.Drop(KnownField.Other, "Surrogate-Key"u8);
        fields.Drop(KnownField.Other, "Cache-Tag"u8);
    }
}
