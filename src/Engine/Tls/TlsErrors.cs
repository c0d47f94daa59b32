// What went wrong, in words for the log: from OpenSSL's error queue, which is emptied.

using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

internal static class TlsErrors
{
    // SSL_R_… of libssl's sslerr.h.
    private const int HttpRequest = 156;
    private const int HttpsProxyRequest = 155;
    private const int UnexpectedEof = 294;
    private const int WrongVersionNumber = 267;
    private const int CertificateVerifyFailed = 134;
    private const int PeerReturnedNoCertificate = 199;
    private const int CallbackFailed = 234;
    private const int ClientHelloCallbackFailed = 237;

    /// <summary>The trouble of this thread's queue.</summary>
    public static (TlsTrouble Trouble, string Text) Take(bool hasEnded)
    {
        var reason = (int)(OpenSsl.ERR_peek_error() & 0x7fffff);
        var text = OpenSsl.TakeError();
        var trouble = reason switch
        {
            HttpRequest or HttpsProxyRequest => TlsTrouble.PlainHttp,
            CertificateVerifyFailed or PeerReturnedNoCertificate => TlsTrouble.Certificate,
            CallbackFailed or ClientHelloCallbackFailed => TlsTrouble.UnknownName,
            UnexpectedEof => TlsTrouble.Broken,
            _ => hasEnded && text.Length == 0 ? TlsTrouble.Broken : TlsTrouble.Protocol,
        };
        return (trouble, text.Length == 0 ? "the peer broke off" : text);
    }

    /// <summary>The same of an origin: what is wrong with its certificate stands beside the queue.</summary>
    public static (TlsTrouble Trouble, string Text) TakeOfOrigin(nint ssl, bool hasEnded)
    {
        var isPlain = (int)(OpenSsl.ERR_peek_error() & 0x7fffff) == WrongVersionNumber;
        var (trouble, text) = Take(hasEnded);
        if (trouble == TlsTrouble.Certificate && OpenSsl.SSL_get_verify_result(ssl) is var result and not 0) text = OpenSsl.Text(OpenSsl.X509_verify_cert_error_string(result));
        return isPlain ? (TlsTrouble.PlainHttp, "what it answers is no TLS") : (trouble, text);
    }
}
