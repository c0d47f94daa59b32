// Making contexts for the client's side.

using System.Globalization;

namespace Weir.Engine.Tls;

/// <summary>Makes contexts. Any thread.</summary>
internal static unsafe class OriginContext
{
    private static readonly string[] Endings = [".pem", ".crt", ".cer"];

    /// <summary>A context; null where its files are not good.</summary>
    /// <param name="settings">What is wanted.</param>
    /// <param name="trouble">What is wrong, in words.</param>
    public static SslContext? TryMake(OriginTlsSettings settings, out string trouble)
    {
        var context = new SslContext(server: false);
        var pointer = context.Pointer;
        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlMinVersion, settings.OnlyTls13 ? OpenSsl.Tls13 : OpenSsl.Tls12, null);
        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlMode, OpenSsl.Mode, null);
        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlReadAhead, 1, null);
        _ = OpenSsl.SSL_CTX_ctrl(pointer, OpenSsl.CtrlSessionCacheMode, OpenSsl.CacheClientOutside, null);
        _ = OpenSsl.SSL_CTX_set_options(pointer, OpenSsl.OptionNoCompression | OpenSsl.OptionNoRenegotiation);
        OpenSsl.SSL_CTX_set_verify(pointer, settings.Verifies ? OpenSsl.VerifyPeer : OpenSsl.VerifyNone, 0);
        OpenSsl.SSL_CTX_sess_set_new_cb(pointer, &OpenSslClient.OnSession);
        var protocols = "\bhttp/1.1"u8;
        fixed (byte* at = protocols) _ = OpenSsl.SSL_CTX_set_alpn_protos(pointer, at, (uint)protocols.Length);
        trouble = (settings.Verifies ? Trust(pointer, settings.Authorities) : null) ?? Show(context, settings.Certificate);
        OpenSsl.ERR_clear_error();
        if (trouble.Length == 0) return context;
        context.Dispose();
        return null;
    }

    /// <summary>What its files are at this moment: others where one of them was changed.</summary>
    public static string Stamp(OriginTlsSettings settings)
    {
        var authorities = !settings.Verifies ? [] : settings.Authorities is { } path ? Files(path) : SystemAuthorities.Paths;
        return string.Join('\n', authorities.Concat(settings.Certificate is { } own ? [own.Chain, own.Key] : []).Select(Stamp));
    }

    private static string Stamp(string path)
    {
        try
        {
            var file = new FileInfo(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path);
            return string.Create(CultureInfo.InvariantCulture, $"{path} {(file.Exists ? file.Length : 0)} {file.LastWriteTimeUtc.Ticks} {file.CreationTimeUtc.Ticks}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{path} {e.GetType().Name}";
        }
    }

    private static string? Trust(nint context, string? authorities)
    {
        if (authorities is null)
        {
            _ = OpenSsl.SSL_CTX_set_default_verify_paths(context);
            return null;
        }

        try
        {
            var files = Files(authorities);
            if (files.Length == 0) return Directory.Exists(authorities) ? $"the folder '{authorities}' holds no certificates ({string.Join(", ", Endings)})" : $"there is no file '{authorities}'";
            foreach (var file in files)
            {
                if (Unreadable(file) is { } reason) return reason;
                if (OpenSsl.SSL_CTX_load_verify_file(context, file) != 1) return $"'{file}' holds no certificate in PEM: {OpenSsl.TakeError()}";
            }

            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"cannot read '{authorities}': {e.Message}";
        }
    }

    private static string Show(SslContext context, CertificateFiles? own)
    {
        if (own is null) return "";
        using var certificate = KeyedCertificate.TryRead(own, out var trouble, out _);
        return certificate?.Use(context) ?? trouble;
    }

    // OpenSSL has no words for it.
    private static string? Unreadable(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"there is no file '{path}'";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"cannot read '{path}': {e.Message}";
        }
    }

    // A file, or those of a folder that are called like certificates: nothing needs to be hashed.
    private static string[] Files(string path) =>
        File.Exists(path) ? [path] : Directory.Exists(path) ? [.. Directory.GetFiles(path).Where(static f => Endings.Contains(Path.GetExtension(f))).Order(StringComparer.Ordinal)] : [];
}
