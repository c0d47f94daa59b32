// The folder with accounts, keys and certificates, which several nodes may share:
//   accounts/ISSUER/account.key, account.json     names/NAME/certificate.pem      its chain, then its key: one file, so that
//   challenges/TOKEN   answers to be shown                                         they are never of two minds
//                                                  names/NAME/certificate.json     who gave it
//                                                  names/NAME/order.ISSUER.json    an order under way, and order.ISSUER.key
// Folders are 0700 and files 0600. A file of somebody else's, a link, or one that others may write is not used; one that others
// may read is made private again, and that is told. "*." in a name stands as "_." on the disk.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Weir.Engine.Disk;

namespace Weir.Control.Certificates;

/// <summary>The folder. Any thread; what is written of one name is its lease's holder's to write.</summary>
/// <param name="path">Where it is.</param>
/// <param name="say">Takes what is wrong with a file, for the log.</param>
public sealed class CertificateFolder(string path, Action<string>? say = null)
{
    /// <summary>Bytes a file here may have.</summary>
    public const int MostBytes = 256 << 10;

    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>Who may own its files beside root and whoever runs the program; null: nobody.</summary>
    public uint? Owner { get; init; }

    /// <summary>Called after each change on the disk: where tests end the world.</summary>
    internal Action<string>? Changed { get; init; }

    internal string Challenges => System.IO.Path.Combine(Path, "challenges");

    /// <summary>Makes what is missing.</summary>
    /// <returns>Why it cannot be used; null: it can.</returns>
    public string? Open()
    {
        foreach (var folder in new[] { Path, System.IO.Path.Combine(Path, "accounts"), System.IO.Path.Combine(Path, "names"), Challenges })
        {
            if (PrivateFile.MakeFolder(folder) is { } trouble) return trouble;
        }

        try
        {
            foreach (var folder in Directory.EnumerateDirectories(Path, "*", SearchOption.AllDirectories).Prepend(Path)) PrivateFile.Sweep(folder, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the folder '{Path}' cannot be read: {e.Message}";
        }

        return null;
    }

    /// <summary>The file with a name's chain and key, whether it is there or not.</summary>
    public string CertificatePath(string name) => System.IO.Path.Combine(NameFolder(name), "certificate.pem");

    /// <summary>Names that have a certificate here.</summary>
    public IEnumerable<string> Names() => Directory.EnumerateDirectories(System.IO.Path.Combine(Path, "names"))
        .Where(static f => File.Exists(System.IO.Path.Combine(f, "certificate.pem"))).Select(static f => NameOf(System.IO.Path.GetFileName(f)));

    /// <summary>Whether there is something of a name that has no certificate.</summary>
    internal bool HasRemains(string name) => Directory.Exists(NameFolder(name)) && !File.Exists(CertificatePath(name));

    /// <summary>Deletes what orders have left of a name, unless it has a certificate. Throws what files throw.</summary>
    internal void Forget(string name)
    {
        if (HasRemains(name)) Directory.Delete(NameFolder(name), recursive: true);
    }

    internal string NameFolder(string name)
    {
        if (name.Contains('/', StringComparison.Ordinal) || name.StartsWith('.')) throw new ArgumentException($"'{name}' is no name", nameof(name));
        return System.IO.Path.Combine(Path, "names", name.StartsWith("*.", StringComparison.Ordinal) ? "_" + name[1..] : name);
    }

    /// <summary>The folder of an account: one for each directory and external account.</summary>
    internal string AccountFolder(Issuer issuer)
    {
        var readable = new string([.. $"{issuer.Directory.Host}{issuer.Directory.AbsolutePath}".Select(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' ? c : '-')]).Trim('-', '.');
        return System.IO.Path.Combine(Path, "accounts", $"{(readable.Length > 80 ? readable[..80] : readable)}-{IdOf(issuer)}");
    }

    /// <summary>What an issuer's files are called by.</summary>
    internal static string IdOf(Issuer issuer) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{issuer.Directory.AbsoluteUri}\n{issuer.Eab?.KeyId}")).AsSpan(0, 4));

    internal static void MakeFolder(string folder)
    {
        if (PrivateFile.MakeFolder(folder) is { } trouble) throw new IOException(trouble);
    }

    internal SecretBytes? Read(string file)
    {
        var bytes = PrivateFile.Read(file, MostBytes, out var trouble, Owner);
        if (trouble.Length > 0) say?.Invoke(trouble);
        return bytes;
    }

    internal void Write(string file, ReadOnlySpan<byte> bytes)
    {
        PrivateFile.Write(file, bytes);
        Changed?.Invoke(file);
    }

    internal void Delete(string file)
    {
        if (!File.Exists(file)) return;
        File.Delete(file);
        Changed?.Invoke(file);
    }

    /// <summary>What a file says; null: it is not there, or says nothing that can be read.</summary>
    internal T? ReadJson<T>(string file, JsonTypeInfo<T> type)
        where T : class
    {
        using var bytes = Read(file);
        if (bytes is null) return null;
        try
        {
            return JsonSerializer.Deserialize(bytes.Span, type);
        }
        catch (JsonException)
        {
            say?.Invoke($"'{file}' is not what was written there, and is left out of account");
            return null;
        }
    }

    internal void WriteJson<T>(string file, T value, JsonTypeInfo<T> type) => Write(file, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>The key in a file; null: there is none that can be used.</summary>
    internal PrivateKey? ReadKey(string file)
    {
        using var pem = Read(file);
        return pem is null ? null : PrivateKey.Read(pem.Span);
    }

    internal void WriteKey(string file, PrivateKey key)
    {
        using var pem = key.ToPem();
        Write(file, pem.Span);
    }

    private static string NameOf(string folder) => folder.StartsWith("_.", StringComparison.Ordinal) ? "*" + folder[1..] : folder;
}
