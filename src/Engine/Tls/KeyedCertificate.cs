// A certificate with its chain and its key, read from files by OpenSSL itself: the key, and the file that holds it, never pass
// through managed memory. What is public of it can be had as bytes. It is read once: what was judged is what is shown.

using System.Runtime.InteropServices;

namespace Weir.Engine.Tls;

/// <summary>A certificate with its chain, and its key, as files in PEM.</summary>
public sealed record CertificateFiles(string Chain, string Key);

/// <summary>A certificate that can be shown. Control's thread; whoever read it disposes of it.</summary>
public sealed unsafe class KeyedCertificate : IDisposable
{
    // A chain has two or three.
    private const int MostCertificates = 32;

    private const int LibraryPem = 9;
    private const int NoStartLine = 108;
    private const ulong SystemError = 0x80000000;
    private const int ReasonMask = 0x7fffff;

    private readonly List<nint> certificates = [];
    private nint key;

    private KeyedCertificate()
    {
    }

    /// <summary>The certificate itself, then what vouches for it, as written; DER.</summary>
    public byte[][] Chain { get; private set; } = [];

    internal nint Certificate => certificates[0];

    /// <summary>Reads one.</summary>
    /// <param name="files">Where it is.</param>
    /// <param name="trouble">What is wrong, with the file's name; empty: nothing.</param>
    /// <param name="isOfKey">Whether that lies with the key.</param>
    public static KeyedCertificate? TryRead(CertificateFiles files, out string trouble, out bool isOfKey)
    {
        var read = new KeyedCertificate();
        OpenSsl.ERR_clear_error();
        isOfKey = false;
        trouble = read.ReadChain(files.Chain);
        if (trouble.Length == 0)
        {
            isOfKey = true;
            trouble = read.ReadKey(files);
        }

        OpenSsl.ERR_clear_error();
        if (trouble.Length == 0) return read;
        read.Dispose();
        return null;
    }

    /// <summary>Puts it into a context.</summary>
    /// <returns>What libssl has against it; empty: nothing.</returns>
    internal string Use(SslContext context)
    {
        var chain = OpenSslCertificates.OPENSSL_sk_new_null();
        foreach (var further in certificates.Skip(1)) _ = OpenSslCertificates.OPENSSL_sk_push(chain, further);
        var isDone = OpenSslCertificates.SSL_CTX_use_cert_and_key(context.Pointer, Certificate, key, chain, 0) == 1;
        OpenSslCertificates.OPENSSL_sk_free(chain);
        return isDone ? "" : OpenSsl.TakeError();
    }

    public void Dispose()
    {
        foreach (var certificate in certificates) OpenSslCertificates.X509_free(certificate);
        certificates.Clear();
        if (key != 0) OpenSslCertificates.EVP_PKEY_free(key);
        key = 0;
    }

    private string ReadChain(string file)
    {
        var bio = OpenSslCertificates.BIO_new_file(file, "r");
        if (bio == 0) return Unopened(file) ?? $"cannot read '{file}'";
        while (certificates.Count < MostCertificates && OpenSslCertificates.PEM_read_bio_X509(bio, 0, &OnPassphrase, null) is not 0 and var next) certificates.Add(next);
        _ = OpenSslCertificates.BIO_free(bio);
        var error = OpenSsl.ERR_peek_last_error();
        var isAtEnd = (int)(error >> 23) == LibraryPem && (int)(error & ReasonMask) == NoStartLine;
        if (certificates.Count == 0) return isAtEnd ? $"'{file}' holds no certificate in PEM (-----BEGIN CERTIFICATE-----)" : $"the certificate in '{file}' cannot be read: {OpenSsl.TakeError()}";
        if (certificates.Count == MostCertificates) return $"'{file}' holds more than {MostCertificates - 1} certificates: it is no chain of one";
        if (!isAtEnd) return $"after {certificates.Count} certificates '{file}' cannot be read: {OpenSsl.TakeError()}";
        Chain = [.. certificates.Select(OpenSslCertificates.Bytes)];
        return "";
    }

    private string ReadKey(CertificateFiles files)
    {
        OpenSsl.ERR_clear_error();
        var bio = OpenSslCertificates.BIO_new_file(files.Key, "r");
        if (bio == 0) return Unopened(files.Key) ?? $"cannot read '{files.Key}'";
        var wasAsked = 0;
        key = OpenSslCertificates.PEM_read_bio_PrivateKey(bio, 0, &OnPassphrase, &wasAsked);
        _ = OpenSslCertificates.BIO_free(bio);
        if (wasAsked != 0) return $"the key in '{files.Key}' is encrypted, and there is nobody to give its passphrase: store it without one (openssl pkey -in FILE -out FILE), readable by nobody else";
        if (key == 0 && files.Key == files.Chain) return $"'{files.Key}' holds no private key, and no other file is named: add key";
        if (key == 0) return $"'{files.Key}' holds no private key in PEM";
        if (OpenSslCertificates.X509_check_private_key(Certificate, key) == 1) return "";
        var meant = certificates.FindIndex(c => OpenSslCertificates.X509_check_private_key(c, key) == 1);
        return meant > 0 ? $"in '{files.Chain}' the site's own certificate must stand first: the key in '{files.Key}' belongs to number {meant + 1}" : $"the key in '{files.Key}' does not belong to the certificate in '{files.Chain}'";
    }

    /// <summary>Why a file could not be opened, after OpenSSL has tried; null: it could. Empties the queue then.</summary>
    internal static string? Unopened(string file)
    {
        var error = OpenSsl.ERR_peek_error();
        if ((error & SystemError) == 0) return null;
        OpenSsl.ERR_clear_error();
        const int NotFound = 2;
        var errno = (int)(error & ~SystemError);
        return errno == NotFound ? $"there is no file '{file}'" : $"cannot read '{file}': {Marshal.GetPInvokeErrorMessage(errno)}";
    }

    // Nobody sits at a terminal. It only remembers that it was called.
    [UnmanagedCallersOnly]
    private static int OnPassphrase(byte* room, int length, int isForWriting, int* wasAsked)
    {
        if (wasAsked is not null) *wasAsked = 1;
        return -1;
    }
}
