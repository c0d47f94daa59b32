// What is answered to an issuer of certificates that looks whether a name is ours (RFC 8555 §8.3). It stands before all sites:
// the issuer comes by the name alone. A token that nobody knows here goes the way of every request: whoever is behind may
// obtain certificates too.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Http1;

namespace Weir.Engine.Answers;

/// <summary>Answers by token. Any thread, no locks.</summary>
public abstract class ShownProofs
{
    /// <summary>Whether there are any now.</summary>
    public abstract bool HasHttp { get; }

    /// <summary>What belongs to a token; null: nothing.</summary>
    public abstract byte[]? Http(ReadOnlySpan<byte> token);

    /// <summary>The answer to a request; null: it is for somebody else.</summary>
    public Answer? Find(Request request)
    {
        var path = request.Path.Span;
        return path.StartsWith("/.well-known/acme-challenge/"u8) && request.KnownMethod is KnownMethod.Get or KnownMethod.Head && Http(path["/.well-known/acme-challenge/".Length..]) is { } proof ? new ProofAnswer(proof) : null;
    }

    private sealed class ProofAnswer(byte[] proof) : Answer
    {
        private static readonly byte[] Type = "application/octet-stream"u8.ToArray();

        public override LoopTask<Fault> PrepareAsync(Exchange exchange)
        {
            OwnResponse.Begin(exchange, 200, proof, ByteRange.Of(Type));
            return new LoopTask<Fault>(Fault.None);
        }
    }
}
