// What an issuer says of a certificate today (RFC 6960): asked, judged, and kept to be stapled to handshakes.

namespace Weir.Engine.Tls;

/// <summary>An issuer's word that a certificate is good. Immutable.</summary>
/// <param name="Bytes">As it came (DER).</param>
/// <param name="From">Since when it is so.</param>
/// <param name="Until">When newer word is to be had at the latest.</param>
public sealed record OcspAnswer(byte[] Bytes, DateTimeOffset From, DateTimeOffset Until);

/// <summary>Asks and judges. Any thread.</summary>
public static unsafe class Ocsp
{
    /// <summary>Bytes of an answer that are looked at.</summary>
    public const int MostBytes = 64 << 10;

    /// <summary>What is said of an answer that the certificate has been revoked.</summary>
    public const string RevokedText = "the certificate has been revoked";

    // Clocks differ.
    private const int Slack = 300;

    /// <summary>The question about a certificate; empty: it cannot be asked.</summary>
    /// <param name="certificate">DER.</param>
    /// <param name="issuer">The certificate of who issued it; DER.</param>
    public static byte[] Question(ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> issuer)
    {
        var (subject, by) = (OpenSslCertificates.Parse(certificate), OpenSslCertificates.Parse(issuer));
        var request = OpenSslCertificates.OCSP_REQUEST_new();
        byte[] bytes = [];
        if (subject != 0 && by != 0 && OpenSslCertificates.OCSP_request_add0_id(request, OpenSslCertificates.OCSP_cert_to_id(OpenSslCertificates.EVP_sha1(), subject, by)) != 0)
        {
            bytes = new byte[OpenSslCertificates.i2d_OCSP_REQUEST(request, null)];
            fixed (byte* at = bytes)
            {
                var to = at;
                _ = OpenSslCertificates.i2d_OCSP_REQUEST(request, &to);
            }
        }

        OpenSslCertificates.OCSP_REQUEST_free(request);
        OpenSslCertificates.X509_free(subject);
        OpenSslCertificates.X509_free(by);
        OpenSsl.ERR_clear_error();
        return bytes;
    }

    /// <summary>Judges an answer: signed by the issuer or on its behalf, about this certificate, of today, and good.</summary>
    /// <returns>Null, with why, where it is not.</returns>
    public static OcspAnswer? Judge(byte[] answer, ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> issuer, out string trouble)
    {
        OpenSsl.ERR_clear_error();
        nint response;
        fixed (byte* at = answer)
        {
            var from = at;
            response = OpenSslCertificates.d2i_OCSP_RESPONSE(0, &from, answer.Length);
        }

        var (subject, by) = (OpenSslCertificates.Parse(certificate), OpenSslCertificates.Parse(issuer));
        var (basic, found) = ((nint)0, (OcspAnswer?)null);
        if (response == 0 || subject == 0 || by == 0) trouble = "the answer is not OCSP";
        else if (OpenSslCertificates.OCSP_response_status(response) is not 0 and var status) trouble = $"the responder says '{OpenSsl.Text(OpenSslCertificates.OCSP_response_status_str(status))}'";
        else if ((basic = OpenSslCertificates.OCSP_response_get1_basic(response)) == 0) trouble = "the answer is of a kind that is not known";
        else if (!IsSigned(basic, by)) trouble = $"the answer is not signed by the issuer, nor on its behalf: {OpenSsl.TakeError()}";
        else found = Find(answer, basic, subject, by, out trouble);
        OpenSslCertificates.OCSP_BASICRESP_free(basic);
        OpenSslCertificates.OCSP_RESPONSE_free(response);
        OpenSslCertificates.X509_free(subject);
        OpenSslCertificates.X509_free(by);
        OpenSsl.ERR_clear_error();
        return found;
    }

    private static bool IsSigned(nint basic, nint issuer)
    {
        const nuint PartialChain = 0x80000;
        var store = OpenSslCertificates.X509_STORE_new();
        var known = OpenSslCertificates.OPENSSL_sk_new_null();
        _ = OpenSslCertificates.OPENSSL_sk_push(known, issuer);
        _ = OpenSslCertificates.X509_STORE_add_cert(store, issuer);
        _ = OpenSsl.X509_STORE_set_flags(store, PartialChain); // The issuer vouches, whoever issued it.
        var isSigned = OpenSslCertificates.OCSP_basic_verify(basic, known, store, 0) == 1;
        OpenSslCertificates.OPENSSL_sk_free(known);
        OpenSslCertificates.X509_STORE_free(store);
        return isSigned;
    }

    private static OcspAnswer? Find(byte[] answer, nint basic, nint subject, nint issuer, out string trouble)
    {
        const int Good = 0;
        const int Revoked = 1;
        var id = OpenSslCertificates.OCSP_cert_to_id(OpenSslCertificates.EVP_sha1(), subject, issuer);
        int status, reason;
        nint revokedAt = 0, thisUpdate = 0, nextUpdate = 0;
        var isThere = OpenSslCertificates.OCSP_resp_find_status(basic, id, &status, &reason, &revokedAt, &thisUpdate, &nextUpdate) == 1;
        OpenSslCertificates.OCSP_CERTID_free(id);
        trouble = !isThere ? "the answer is about another certificate"
            : OpenSslCertificates.OCSP_check_validity(thisUpdate, nextUpdate, Slack, -1) != 1 ? "the answer is not of today"
            : status == Revoked ? RevokedText
            : status != Good ? "the issuer does not know the certificate" : "";
        if (trouble.Length > 0) return null;
        var from = Moment(thisUpdate);
        return new OcspAnswer(answer, from, nextUpdate == 0 ? from.AddDays(1) : Moment(nextUpdate));
    }

    private static DateTimeOffset Moment(nint time)
    {
        int days, seconds;
        _ = OpenSslCertificates.ASN1_TIME_diff(&days, &seconds, 0, time);
        return DateTimeOffset.UtcNow.AddDays(days).AddSeconds(seconds);
    }
}
