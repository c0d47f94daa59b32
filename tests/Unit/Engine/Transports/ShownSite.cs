// A site that shows one certificate, for tests of the transport and of origins.

using Weir.Engine.Tls;
using Weir.Engine.Transports;

namespace Weir.Tests.Unit.Engine.Transports;

internal static class ShownSite
{
    public static TlsSite Of(string chain, string key)
    {
        using var read = KeyedCertificate.TryRead(new CertificateFiles(chain, key), out var trouble, out _);
        Assert.True(read is not null, trouble);
        var shown = ShownCertificates.TryMake([(read, new CertificateNames([], []))], null, out var refused);
        Assert.True(shown is not null, refused.Text);
        return new TlsSite { Shown = shown };
    }
}
