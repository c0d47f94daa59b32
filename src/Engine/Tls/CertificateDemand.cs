// Certificates for names that nobody wrote down: a handshake that asks for one waits, within its time, until it is known whether
// there is one to be had.

namespace Weir.Engine.Tls;

/// <summary>Obtains certificates for handshakes. Any thread; nothing here waits or throws.</summary>
public abstract class CertificateDemand
{
    /// <summary>What shows a name's certificate; null: there is none so far. Takes no lock and allocates nothing.</summary>
    /// <param name="name">In lower case.</param>
    public abstract TlsSite? Find(ReadOnlySpan<byte> name);

    /// <summary>Begins to obtain one.</summary>
    /// <param name="name">In lower case.</param>
    /// <param name="then">Called once it is there, or known not to come; on any thread.</param>
    /// <returns>Whether it has begun: else there is none to be had.</returns>
    public abstract bool TryBegin(string name, Action then);
}
