using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Weir.Engine.Transports;

namespace Weir.Tests.Unit.Engine.Transports;

public sealed class PeerCertificateTests
{
    // Whoever splits the names at commas finds those that were signed, and no others.
    [Fact]
    public void No_name_becomes_two()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=me", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509Extension("2.5.29.17", [0x30, 14, 0x82, 5, .. "a,b\nc"u8, 0x82, 5, .. "d.e.f"u8], false));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        Assert.Equal("a?b?c,d.e.f", Encoding.ASCII.GetString(new PeerCertificate(certificate.RawData).Get(TlsFact.ClientNames)));
    }
}
