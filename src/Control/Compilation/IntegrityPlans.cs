// What a route does about digests. Where nothing is written, what is put together of parts is verified, and nothing else.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Policies.Integrity;
using Weir.Wire.Fields;

namespace Weir.Control.Compilation;

/// <summary>Compiles what is written about a route's digests.</summary>
internal static class IntegrityPlans
{
    /// <param name="from">What is written; null: nothing.</param>
    /// <param name="isProxied">Whether there is an origin whose word could be verified.</param>
    /// <param name="isAccelerated">Whether answers are put together of parts.</param>
    public static IntegrityPlan? Of(IntegrityConfig? from, bool isProxied, bool isAccelerated)
    {
        if (from is null) return isAccelerated ? new IntegrityPlan() : null;
        var plan = new IntegrityPlan { Verifies = isProxied && from.Verify != false, Generates = from.Generate != false };
        if (from.Algorithms.Count > 0) plan = plan with { Algorithms = [.. from.Algorithms.Distinct().Select(static name => DigestField.Find(Encoding.ASCII.GetBytes(name)))] };
        return plan is { Verifies: false, Generates: false } ? null : plan;
    }
}
