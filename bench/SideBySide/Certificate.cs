// The certificate of a run, the same for all: ECDSA P-256, signed by itself, made anew each time.

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Bench.SideBySide;

internal static class Certificate
{
    private static readonly (string Certificate, string Key, byte[] Raw) Made = Make();

    /// <summary>certificate.pem, key.pem, and both.pem with one behind the other.</summary>
    public static void WriteTo(string folder)
    {
        Write("certificate.pem", Made.Certificate);
        Write("key.pem", Made.Key);
        Write("both.pem", $"{Made.Certificate}\n{Made.Key}\n");

        void Write(string name, string text)
        {
            using var stream = new FileStream(Path.Combine(folder, name), new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            stream.Write(System.Text.Encoding.ASCII.GetBytes(text));
        }
    }

    /// <summary>Whether a server has shown this one.</summary>
    public static bool Is(X509Certificate? shown) => shown is not null && shown.GetRawCertData().AsSpan().SequenceEqual(Made.Raw);

    private static (string Certificate, string Key, byte[] Raw) Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=bench.test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("bench.test");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(7));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(), certificate.RawData);
    }
}
