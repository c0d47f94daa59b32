// Answers of issuers, kept over restarts: a file for each certificate, by its fingerprint. Nothing in them is secret, and what is
// read is judged like what came over the network.

using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>The folder of kept answers.</summary>
internal sealed class StapleFolder(string path)
{
    // Of certificates that are no longer shown.
    private static readonly TimeSpan MostAge = TimeSpan.FromDays(30);

    public byte[]? Read(string fingerprint)
    {
        try
        {
            var file = new FileInfo(At(fingerprint));
            return file.Exists && file.Length is > 0 and <= Ocsp.MostBytes ? File.ReadAllBytes(file.FullName) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps one. Where that cannot be, it is asked again after a restart.</summary>
    public void Write(string fingerprint, byte[] answer)
    {
        try
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var aside = At(fingerprint) + ".new";
            File.WriteAllBytes(aside, answer);
            File.Move(aside, At(fingerprint), overwrite: true);
            foreach (var old in new DirectoryInfo(path).EnumerateFiles("*.der").Where(static f => DateTime.UtcNow - f.LastWriteTimeUtc > MostAge)) old.Delete();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The state folder cannot be written: what needs it more says so.
        }
    }

    /// <summary>Keeps it no more.</summary>
    public void Forget(string fingerprint)
    {
        try
        {
            File.Delete(At(fingerprint));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is asked about again before it is shown for long.
        }
    }

    private string At(string fingerprint) => Path.Combine(path, fingerprint + ".der");
}
