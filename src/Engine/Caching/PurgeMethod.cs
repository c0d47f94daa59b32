// PURGE, as other caches know it: a request for a URL with this method takes out what is kept of it. Only for those whom the
// operator names; for all others it is a method that is not answered.

using System.Net;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Engine.Caching;

/// <summary>Answers PURGE on a route (`cache.purge`). Immutable.</summary>
public sealed class PurgeMethod(Cache cache, KeyRecipe recipe, IPNetwork[] from) : IRequestPolicy
{
    public Verdict Apply(Exchange exchange)
    {
        if (!exchange.Request.Method.Span.SequenceEqual("PURGE"u8)) return Verdict.Continue;
        if (!IsAllowed(exchange.ClientAddress)) return Said.Refused;
        if (!recipe.TryMake(exchange, out var key)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        var count = Purge.Run(cache, new PurgeTarget { Url = Encoding.Latin1.GetString(key.Url.Span) }, PurgeManner.Hard);
        return new Said(200, Encoding.ASCII.GetBytes($"{{\"purged\":{count.Responses}}}\n"), cache.Disk);
    }

    private bool IsAllowed(IPAddress? client)
    {
        if (client is null) return false;
        foreach (var network in from)
        {
            if (network.Contains(client)) return true;
        }

        return false;
    }

    private sealed class Said(int status, byte[] body, DiskTier? disk = null) : Answer
    {
        public static Said Refused { get; } = new(403, "{\"error\":\"not from here\"}\n"u8.ToArray());

        private static readonly ByteRange Type = ByteRange.Of("application/json"u8.ToArray());

        public override async LoopTask<Fault> PrepareAsync(Exchange exchange)
        {
            if (disk is not null) await disk.RecordedAsync(exchange);
            OwnResponse.Begin(exchange, status, body, Type);
            return default;
        }
    }
}
