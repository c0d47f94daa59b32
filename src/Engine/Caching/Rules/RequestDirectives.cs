// What a request says to caches. RFC 9111 §5.2.1, §5.4.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>Reads request directives.</summary>
public static class RequestDirectives
{
    /// <summary>What counts of them: nothing where the rules do not honour them, else Cache-Control, or Pragma where there is none.</summary>
    public static CacheControl Read(FieldBlock request, CacheRules rules)
    {
        CacheControl asked = default;
        if (!rules.HonorsRequestDirectives) return asked;
        if (request.Index.Has(KnownField.CacheControl))
        {
            for (var i = 0; i < request.Index.Count; i++)
            {
                if (request.Index[i].Known == KnownField.CacheControl && !request.IsDropped(i)) asked.Read(request.Value(i));
            }
        }
        else if (request.Index.Has(KnownField.Pragma))
        {
            for (var i = 0; i < request.Index.Count; i++)
            {
                if (request.Index[i].Known == KnownField.Pragma && !request.IsDropped(i) && IsNoCache(request.Value(i))) asked.Add(CacheDirectives.NoCache);
            }
        }

        return asked;
    }

    private static bool IsNoCache(ReadOnlySpan<byte> pragma)
    {
        foreach (var element in new ListElements(pragma))
        {
            if (Ascii.EqualsIgnoreCase(element, "no-cache"u8)) return true;
        }

        return false;
    }
}
