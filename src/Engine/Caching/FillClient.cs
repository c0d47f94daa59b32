// The client of a fill: nobody, but that interim answers go on to the client for which it was begun.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Caching;

/// <summary>Stands for all who wait for a fill. Reused; one loop.</summary>
internal sealed class FillClient : AbsentClient
{
    /// <summary>Who is told of interim answers; null: nobody.</summary>
    public ClientStream? Of { get; set; }

    public override FaultCause SendInterim(Response response)
    {
        if (Of?.SendInterim(response) == FaultCause.None) Of.ResponseBody.TryFlush();
        return FaultCause.None;
    }
}
