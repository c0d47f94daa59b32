// Certificates in a context of OpenSSL, with what each covers and what is stapled to it. How a connection speaks (versions,
// groups, tickets, ALPN) is its listener's and was settled when it was accepted: libssl takes from the context that is put in
// its place nothing but certificates and what to staple, and its ciphers, which are the same everywhere. So one is enough for
// all listeners of a site, whatever their profiles.

using System.Runtime.InteropServices;
using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

/// <summary>Certificates to be shown, one of each kind of key. Immutable but for what is stapled; any thread.</summary>
public sealed unsafe class ShownCertificates : IDisposable
{
    private const int StatusGiven = 0;
    private const int NoStatus = 3;

    private readonly nint[] certificates; // The context's own, to tell them by.
    private readonly byte[]?[] staples;

    private ShownCertificates(SslContext context, nint[] certificates, CertificateNames[] names)
    {
        (Context, this.certificates, Names) = (context, certificates, names);
        staples = new byte[certificates.Length][];
    }

    internal SslContext Context { get; }

    /// <summary>Whether it cannot be shown any more.</summary>
    public bool IsDisposed => Context.IsClosed;

    /// <summary>What each covers.</summary>
    public CertificateNames[] Names { get; }

    /// <summary>Makes it.</summary>
    /// <param name="certificates">The certificates, and what each covers.</param>
    /// <param name="clients">What clients are asked for; null: nothing.</param>
    /// <param name="trouble">What libssl has against one of them, and which; -1: against what clients are asked for.</param>
    public static ShownCertificates? TryMake(IReadOnlyList<(KeyedCertificate Certificate, CertificateNames Names)> certificates, ClientDemands? clients, out (int Place, string Text) trouble)
    {
        trouble = (-1, "");
        var context = ServerContext.Make(new TlsSettings());
        if (clients?.ApplyTo(context.Pointer) is { } unusable)
        {
            trouble = (-1, unusable);
            context.Dispose();
            return null;
        }

        foreach (var (place, (certificate, _)) in certificates.Index())
        {
            var text = certificate.Use(context);
            if (text.Length == 0) continue;
            trouble = (place, text);
            context.Dispose();
            return null;
        }

        OpenSsl.ERR_clear_error();
        _ = OpenSslCertificates.SSL_CTX_callback_ctrl(context.Pointer, OpenSslCertificates.CtrlStatusCallback, &OnStatus);
        return new ShownCertificates(context, [.. certificates.Select(static c => c.Certificate.Certificate)], [.. certificates.Select(static c => c.Names)]);
    }

    /// <summary>Lets go of it: the keys are wiped with the last connection that they were used for, not when a collector comes.</summary>
    public void Dispose() => Context.Dispose();

    /// <summary>Staples this to one of them from now on (RFC 6066 §8); null: nothing. Any thread.</summary>
    public void Staple(int place, OcspAnswer? answer) => Volatile.Write(ref staples[place], answer?.Bytes);

    // Asked where the client wants to know, once it is clear which certificate it is shown.
    [UnmanagedCallersOnly]
    private static int OnStatus(nint ssl, nint argument)
    {
        if (OpenSslEngine.Of(ssl).Shown is not { } shown) return NoStatus;
        var place = Array.IndexOf(shown.certificates, OpenSslCertificates.SSL_get_certificate(ssl));
        if (place < 0 || Volatile.Read(ref shown.staples[place]) is not { } staple) return NoStatus;
        var copy = OpenSslCertificates.CRYPTO_malloc((nuint)staple.Length, null, 0); // libssl frees it.
        if (copy is null) return NoStatus;
        staple.CopyTo(new Span<byte>(copy, staple.Length));
        _ = OpenSslCertificates.SSL_ctrl(ssl, OpenSslCertificates.CtrlStatusResponse, staple.Length, copy);
        return StatusGiven;
    }
}
