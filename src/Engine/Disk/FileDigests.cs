// Digests of files, for who asks for them. A short file is hashed when it is opened; a long one behind the answers, once, on a thread
// of its own; what is known is remembered as long as the file is as it was. A file that was changed a moment ago is not remembered: it
// may be changed again within one tick of its clock.

using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Disk;

/// <summary>A file as it was when it was opened.</summary>
public readonly record struct FileVersion(string Name, long Length, DateTime Modified);

/// <summary>What is known of files. Any thread.</summary>
public static class FileDigests
{
    /// <summary>Files up to that are hashed while their answer waits, in bytes.</summary>
    public const long Quick = 1 << 20;

    private const int MostKnown = 8192;
    private const int MostWaiting = 256;
    private const int Piece = 1 << 17;

    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(2);
    private static readonly DiskThreads Maker = new(threads: 1, MostWaiting);
    private static readonly Lock Door = new();
    private static readonly Dictionary<(FileVersion, string?), byte[]> Known = [];
    private static readonly Queue<(FileVersion, string?)> Order = [];
    private static readonly HashSet<(FileVersion, string?)> Wanted = [];

    /// <summary>The digest of a file that is open; null: it is not known, and will be where that is possible. On a disk thread.</summary>
    public static byte[]? Of(SafeFileHandle file, in FileVersion version, HashAlgorithmName algorithm)
    {
        var key = (version, algorithm.Name);
        lock (Door)
        {
            if (Known.TryGetValue(key, out var known)) return known;
        }

        if (version.Length <= Quick) return Hash(file, version, algorithm);
        lock (Door)
        {
            if (Wanted.Count >= MostWaiting || !Wanted.Add(key)) return null;
        }

        if (!Maker.TryRun(new Making(version, algorithm))) Forget(key);
        return null;
    }

    private static byte[]? Hash(SafeFileHandle file, in FileVersion version, HashAlgorithmName algorithm)
    {
        using var hash = IncrementalHash.CreateHash(algorithm);
        var room = System.Buffers.ArrayPool<byte>.Shared.Rent(Piece);
        var at = 0L;
        while (at < version.Length)
        {
            var count = RandomAccess.Read(file, room, at);
            if (count <= 0) break;
            hash.AppendData(room, 0, count);
            at += count;
        }

        System.Buffers.ArrayPool<byte>.Shared.Return(room);
        if (at != version.Length || !IsStill(file, version)) return null;
        var digest = hash.GetHashAndReset();
        if (DateTime.UtcNow - version.Modified >= Settled) Remember((version, algorithm.Name), digest);
        return digest;
    }

    private static bool IsStill(SafeFileHandle file, in FileVersion version) => Descriptor.IsFile(file, out var length, out var modified) && length == version.Length && modified == version.Modified;

    private static void Remember((FileVersion, string?) key, byte[] digest)
    {
        lock (Door)
        {
            if (!Known.TryAdd(key, digest)) return;
            Order.Enqueue(key);
            if (Order.Count > MostKnown) Known.Remove(Order.Dequeue());
        }
    }

    private static void Forget((FileVersion, string?) key)
    {
        lock (Door) Wanted.Remove(key);
    }

    // Opened anew by the name of what was opened, and looked at whether it is that.
    private sealed class Making : DiskJob
    {
        private readonly FileVersion version;
        private readonly HashAlgorithmName algorithm;

        public Making(FileVersion version, HashAlgorithmName algorithm)
            : base(null)
        {
            (this.version, this.algorithm) = (version, algorithm);
            Abandon();
        }

        protected override void Work()
        {
            try
            {
                using var file = Descriptor.Open(version.Name);
                if (file is not null && IsStill(file, version)) Hash(file, version, algorithm);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has no digest then.
            }
            finally
            {
                Forget((version, algorithm.Name));
            }
        }

        protected override void LetGo()
        {
        }
    }
}
