// Where OpenSSL looks for the CAs of the system: a file and a folder, fixed when it was built, or what SSL_CERT_FILE and
// SSL_CERT_DIR name.

namespace Weir.Engine.Tls;

/// <summary>The system's CAs.</summary>
public static class SystemAuthorities
{
    /// <summary>Those of the file and the folders that are there; empty: no certificate can be accepted by the system's CAs.</summary>
    public static string[] Paths
    {
        get
        {
            var file = Named(OpenSsl.X509_get_default_cert_file_env(), OpenSsl.X509_get_default_cert_file());
            var folders = Named(OpenSsl.X509_get_default_cert_dir_env(), OpenSsl.X509_get_default_cert_dir());
            return [.. File.Exists(file) ? [file] : (string[])[], .. folders.Split(':').Where(Directory.Exists)];
        }
    }

    private static string Named(nint variable, nint otherwise) =>
        Environment.GetEnvironmentVariable(OpenSsl.Text(variable)) is { Length: > 0 } named ? named : OpenSsl.Text(otherwise);
}
