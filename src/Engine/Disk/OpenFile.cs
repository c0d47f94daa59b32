// Opening a file below a root, on a disk thread: with its index where a folder is asked for, or a compressed sibling where
// one is wanted, and with its digest. Links are followed only to where the root is.

using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Weir.Engine.Loops;

namespace Weir.Engine.Disk;

/// <summary>Opens one file.</summary>
public sealed class OpenFile(Loop loop, string root, string path, string[] index, (string Suffix, string Coding)[] codings) : DiskJob(loop)
{
    public SafeFileHandle? File { get; private set; }

    public long Length { get; private set; }

    public DateTime Modified { get; private set; }

    /// <summary>In which algorithm a digest is wanted; null: none is.</summary>
    public HashAlgorithmName? WantsDigest { get; init; }

    /// <summary>That digest; null: it is not known.</summary>
    public byte[]? Digest { get; private set; }

    /// <summary>The name that decides on the media type.</summary>
    public string Name { get; private set; } = "";

    /// <summary>The content coding of the file that was opened; empty: none.</summary>
    public string Coding { get; private set; } = "";

    /// <summary>A folder, asked for without its slash.</summary>
    public bool IsFolder { get; private set; }

    /// <summary>Hands the open file over.</summary>
    public SafeFileHandle TakeFile()
    {
        var file = File!;
        File = null;
        return file;
    }

    /// <summary>Closes the file where nobody has taken it.</summary>
    public void Dispose() => LetGo();

    protected override void LetGo()
    {
        File?.Dispose();
        File = null;
    }

    protected override void Work()
    {
        try
        {
            var full = Path.Combine(root, path.TrimStart('/'));
            if (Directory.Exists(full))
            {
                if (!path.EndsWith('/'))
                {
                    IsFolder = IsBelowRoot(full);
                    return;
                }

                full = index.Select(name => Path.Combine(full, name)).FirstOrDefault(System.IO.File.Exists) ?? "";
            }
            else if (path.EndsWith('/'))
            {
                return;
            }

            if (full.Length == 0) return;
            Name = full;
            foreach (var (suffix, coding) in codings)
            {
                if (!System.IO.File.Exists(full + suffix)) continue;
                (full, Coding) = (full + suffix, coding);
                break;
            }

            Open(full);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            if (e is not (FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException or PathTooLongException)) Trouble = e.Message;
        }
    }

    // Judged is what was opened, not what bore its name a moment before.
    private void Open(string full)
    {
        var file = Descriptor.Open(full);
        if (file is null)
        {
            // Not what is missing or forbidden: we have run out.
            if (Errno.Last is Errno.TooManyFiles or Errno.TableFull or Errno.NoMemory) Trouble = Errno.Describe(Errno.Last);
            return;
        }

        if (Descriptor.IsFile(file, out var length, out var modified) && Descriptor.NameOf(file) is { } name && IsBelow(name, Real(root)))
        {
            (File, Length, Modified) = (file, length, modified);
            if (WantsDigest is { } algorithm) Digest = FileDigests.Of(file, new FileVersion(name, length, modified), algorithm);
            return;
        }

        file.Dispose();
    }

    private bool IsBelowRoot(string full) => IsBelow(Real(full), Real(root));

    private static bool IsBelow(string name, string realRoot) => name == realRoot || name.StartsWith(realRoot.TrimEnd('/') + "/", StringComparison.Ordinal);

    // Follows every link on the way, as the kernel will.
    private static string Real(string path)
    {
        var real = "/";
        var steps = 0;
        var rest = new Stack<string>(path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        while (rest.TryPop(out var name))
        {
            if (++steps > 256) throw new IOException("too many links");
            if (name == ".") continue;
            if (name == "..")
            {
                real = Path.GetDirectoryName(real) ?? "/";
                continue;
            }

            var next = Path.Combine(real, name);
            var link = new FileInfo(next).LinkTarget;
            if (link is null)
            {
                real = next;
                continue;
            }

            if (link.StartsWith('/')) real = "/";
            foreach (var part in link.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse()) rest.Push(part);
        }

        return real;
    }
}
