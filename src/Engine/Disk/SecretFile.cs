// A secret that a program makes for itself once and finds again at its next start. Made aside and linked to its name when it
// is whole, so that of two programs that start at once both find the same one. A file that others may read, or that
// somebody else has put there, is refused. Control's thread, before anything is served.

using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Disk;

/// <summary>A file with random bytes.</summary>
public static class SecretFile
{
    public const int Bytes = 32;

    /// <summary>The secret, made where there was none; null, with why, where it cannot be had.</summary>
    /// <param name="path">The file; its folder is made where there is none.</param>
    /// <param name="owner">Who may own it besides root and whoever runs the program; null: nobody.</param>
    /// <param name="trouble">Why not.</param>
    public static byte[]? Get(string path, uint? owner, out string trouble)
    {
        trouble = "";
        try
        {
            // Twice: another program may have made it just now.
            return Read(path, owner, ref trouble) ?? (trouble.Length > 0 ? null : Make(path) ?? Read(path, owner, ref trouble));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            trouble = e.Message;
            return null;
        }
    }

    private static byte[]? Read(string path, uint? owner, ref string trouble)
    {
        using var file = Descriptor.OpenItself(path, out var isThere);
        if (file is null)
        {
            if (isThere) trouble = $"'{path}' cannot be read, or is a link";
            return null;
        }

        trouble = Refusal(file, path, owner);
        if (trouble.Length > 0) return null;
        var bytes = new byte[Bytes + 1];
        if (RandomAccess.Read(file, bytes, 0) == Bytes) return bytes[..Bytes];
        trouble = $"'{path}' does not hold {Bytes} bytes: it is not what was written there";
        return null;
    }

    private static string Refusal(SafeFileHandle file, string path, uint? owner)
    {
        if (Descriptor.AccessOf(file) is not var (user, mode)) return $"'{path}' is not a file";
        if (user != 0 && user != Descriptor.EffectiveUser && user != owner) return $"'{path}' belongs to somebody else";
        return (mode & 0x3f) == 0 ? "" : $"'{path}' may be read or written by others: its mode must be 600";
    }

    // Null: somebody else's stands there by now.
    private static byte[]? Make(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var secret = RandomNumberGenerator.GetBytes(Bytes);
        var aside = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        try
        {
            using (var file = new FileStream(aside, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                file.Write(secret);
                file.Flush(flushToDisk: true);
            }

            return Descriptor.TryLink(aside, path) ? secret : null;
        }
        finally
        {
            File.Delete(aside);
        }
    }
}
