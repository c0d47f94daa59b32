// A peer's certificate as text. Its names are whatever an authority has signed: control bytes and what is not ASCII become '?',
// so that none of them can end a field or a line; so does a comma in an alternative name, which stands between them.

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Weir.Engine.Transports;

/// <summary>A certificate that a peer has shown. One loop.</summary>
/// <param name="der">The certificate, DER.</param>
public sealed class PeerCertificate(byte[] der)
{
    private const int MostText = 4096;

    private byte[][]? texts;

    /// <summary>One of the facts about it.</summary>
    public ReadOnlySpan<byte> Get(TlsFact fact) => (texts ??= Read())[fact - TlsFact.ClientSubject];

    private byte[][] Read()
    {
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(der);
            return
            [
                Plain(certificate.Subject),
                Plain(certificate.Issuer),
                Plain(certificate.SerialNumber.ToLowerInvariant()),
                Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(der))),
                Plain(string.Join(',', Names(certificate).Select(static n => n.Replace(',', '?')))),
                Encoding.ASCII.GetBytes($":{Convert.ToBase64String(der)}:"),
            ];
        }
        catch (CryptographicException)
        {
            return [[], [], [], [], [], []]; // OpenSSL took what the runtime cannot read: nothing is said of it.
        }
    }

    private static List<string> Names(X509Certificate2 certificate)
    {
        var names = new List<string>();
        foreach (var extension in certificate.Extensions)
        {
            if (extension is X509SubjectAlternativeNameExtension alternatives) names.AddRange(alternatives.EnumerateDnsNames());
        }

        if (certificate.GetNameInfo(X509NameType.EmailName, false) is { Length: > 0 } mail) names.Add(mail);
        return names;
    }

    private static byte[] Plain(string text)
    {
        var bytes = new byte[Math.Min(text.Length, MostText)];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = text[i] is >= ' ' and <= '~' ? (byte)text[i] : (byte)'?';
        return bytes;
    }
}
