// What a route says about its cache, compiled. Immutable.

using Weir.Engine.Acceleration;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Mirroring;
using Weir.Engine.Policies.Integrity;

namespace Weir.Engine.Caching;

/// <summary>A route's cache.</summary>
public sealed record CachePlan
{
    public required Cache Cache { get; init; }

    public required KeyRecipe Key { get; init; }

    /// <summary>Who is asked for what is not kept.</summary>
    public required ForwardPlan Forward { get; init; }

    /// <summary>Who else is sent copies of what is asked; null: nobody.</summary>
    public MirrorPlan? Mirror { get; init; }

    /// <summary>Where else its site keeps what its URLs bring, itself included; null: nowhere.</summary>
    public SiteCaches? Site { get; init; }

    /// <summary>How large answers are fetched; null: over one connection.</summary>
    public AcceleratePlan? Accelerate { get; init; }

    /// <summary>Whether what is kept is verified first; null: it is not.</summary>
    public IntegrityPlan? Integrity { get; init; }

    public CacheRules Rules { get; init; } = CacheRules.Default;

    /// <summary>The largest body that is kept, in bytes.</summary>
    public long LargestBody { get; init; } = 64 << 20;

    /// <summary>Bytes of the slices in which bodies are fetched and kept; 0: they are fetched whole. Needs <see cref="CacheRules.StoresPartial"/>.</summary>
    public long SliceBytes { get; init; }

    /// <summary>What this cache calls itself in Cache-Status (RFC 9211); null: it says nothing.</summary>
    public byte[]? StatusName { get; init; } = "Weir"u8.ToArray();

    /// <summary>Requests that are passed on, and those whose answers are not kept; null: none.</summary>
    public CachePasses? Passes { get; init; }

    /// <summary>Says of an answer that is to be kept that it is a dictionary for others; null: nothing here is compressed by dictionaries.</summary>
    public IResponsePolicy? Dictionaries { get; init; }

    /// <summary>Whether a page that is asked for as if it were a file is not kept: <see cref="Deception"/>.</summary>
    public bool WatchesTypes { get; init; } = true;

    /// <summary>Whether fields that name tags go on to clients.</summary>
    public bool ShowsTags { get; init; }
}
