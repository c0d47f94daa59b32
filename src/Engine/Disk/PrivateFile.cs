// Files that only their owner may read. Written whole or not at all: aside, put on the disk, and renamed, and the folder put on
// the disk too, so that after a loss of power there is either what was or what is. Control's threads only: all of it may wait
// for a disk.

using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Disk;

/// <summary>Reads and writes private files.</summary>
public static class PrivateFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerFolder = OwnerOnly | UnixFileMode.UserExecute;

    // What stands aside until it is whole; one that a crash has left is nobody's.
    private const string Aside = ".aside-";

    /// <summary>Makes a folder, and those above it, that only its owner may use.</summary>
    /// <returns>Why it cannot be used; null: it can.</returns>
    public static string? MakeFolder(string path)
    {
        try
        {
            Directory.CreateDirectory(path, OwnerFolder);
            if ((File.GetUnixFileMode(path) & ~OwnerFolder) == 0) return null;
            File.SetUnixFileMode(path, OwnerFolder);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the folder '{path}' cannot be had for its owner alone: {e.Message}";
        }
    }

    /// <summary>Writes a file. Throws what files throw.</summary>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        var aside = WriteAside(path, bytes);
        try
        {
            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }

        SyncFolder(path);
    }

    /// <summary>Writes a file that must not be there yet; of several who do it at once, on several machines too, one succeeds. Throws what files throw.</summary>
    public static bool TryCreate(string path, ReadOnlySpan<byte> bytes)
    {
        var aside = WriteAside(path, bytes);
        try
        {
            if (!Descriptor.TryLink(aside, path)) return false;
        }
        finally
        {
            File.Delete(aside);
        }

        SyncFolder(path);
        return true;
    }

    /// <summary>Reads a file; null where there is none, or where it is not to be used. Throws what files throw.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">Bytes it may have.</param>
    /// <param name="trouble">Why it is not to be used; or, beside its bytes, what was wrong with it: others could read it. Empty: nothing.</param>
    /// <param name="owner">Who may own it besides root and whoever runs the program; null: nobody.</param>
    public static SecretBytes? Read(string path, int most, out string trouble, uint? owner = null)
    {
        trouble = "";
        using var file = Descriptor.OpenItself(path, out var isThere);
        if (file is null)
        {
            if (isThere) trouble = $"'{path}' cannot be read, or is a link";
            return null;
        }

        var (user, mode) = Descriptor.AccessOf(file) ?? (0, -1);
        if (mode < 0) trouble = $"'{path}' is not a file";
        else if (user != 0 && user != Descriptor.EffectiveUser && user != owner) trouble = $"'{path}' belongs to somebody else";
        else if ((mode & 0x12) != 0) trouble = $"'{path}' may be written by others: its mode must be 600";
        if (trouble.Length > 0) return null;
        var length = RandomAccess.GetLength(file);
        if (length > most)
        {
            trouble = $"'{path}' has more than {most} bytes";
            return null;
        }

        if ((mode & 0x3f) != 0) trouble = Tighten(file, path);
        return Fill(file, (int)length);
    }

    /// <summary>Deletes what crashes have left aside in a folder for longer than an hour.</summary>
    public static void Sweep(string folder, DateTime now)
    {
        foreach (var left in Directory.EnumerateFiles(folder, $"*{Aside}*").Where(f => now - File.GetLastWriteTimeUtc(f) > TimeSpan.FromHours(1))) File.Delete(left);
    }

    private static SecretBytes Fill(SafeFileHandle file, int length)
    {
        var bytes = new SecretBytes(length);
        var count = 0;
        while (count < length && RandomAccess.Read(file, bytes.Room[count..], count) is > 0 and var got) count += got;
        bytes.Length = count;
        return bytes;
    }

    private static string Tighten(SafeFileHandle file, string path)
    {
        try
        {
            File.SetUnixFileMode(file, OwnerOnly);
            return $"'{path}' could be read by others until now; its mode is 600 again";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"'{path}' may be read by others, and its mode cannot be changed: {e.Message}";
        }
    }

    private static string WriteAside(string path, ReadOnlySpan<byte> bytes)
    {
        var aside = $"{path}{Aside}{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        using var file = new FileStream(aside, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = OwnerOnly });
        file.Write(bytes);
        file.Flush(flushToDisk: true);
        return aside;
    }

    private static void SyncFolder(string path)
    {
        using var folder = Descriptor.Open(Path.GetDirectoryName(Path.GetFullPath(path))!);
        if (folder is not null) RandomAccess.FlushToDisk(folder);
    }
}
