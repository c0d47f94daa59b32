// Who changes the keys of session tickets: the clock, or the operator by writing the file that nodes share. The file is looked
// at every few seconds; one that cannot be used is told once, and the keys in use stay.

using System.Security.Cryptography;
using Weir.Engine.Observe;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>Rotates the keys of session tickets. Control's thread sets it; a timer's does the work.</summary>
public sealed class TicketRotation(TicketKeys keys, ErrorLog? errors) : IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private readonly Lock turn = new();
    private Timer? timer;
    private string? file;
    private TimeSpan every = TimeSpan.FromHours(4);
    private TimeSpan lifetime = TimeSpan.FromHours(8);
    private long rotatedAt = Environment.TickCount64;
    private DateTime seen;
    private string told = "";

    /// <summary>What is wrong with a file of keys; null: nothing.</summary>
    public static string? Trouble(string path) => Read(path, static _ => { });

    /// <summary>Takes the settings of a plan.</summary>
    /// <param name="path">The shared file; null: keys of our own.</param>
    /// <param name="rotateEvery">How often a new key of our own is made.</param>
    /// <param name="sessions">How long a session lives.</param>
    public void Set(string? path, TimeSpan rotateEvery, TimeSpan sessions)
    {
        lock (turn)
        {
            if (file is not null && path is null) RotateOwn(1); // Keys that others know no more seal here.
            if (file != path) seen = default;
            (file, every, lifetime) = (path, rotateEvery, sessions);
            Look();
        }
    }

    /// <summary>Begins to look.</summary>
    public void Start() => timer ??= new Timer(_ => LookAgain(), null, LookEvery, LookEvery);

    public void Dispose() => timer?.Dispose();

    private void LookAgain()
    {
        lock (turn) Look();
    }

    private void Look()
    {
        if (file is null)
        {
            if (Environment.TickCount64 - rotatedAt >= every.TotalMilliseconds) RotateOwn(TicketKeys.MostKeys);
            return;
        }

        var written = WrittenAt(file);
        if (written == seen) return;
        seen = written;
        var trouble = Read(file, keys.Use);
        if (trouble is null) errors?.Info("tls", $"session tickets are sealed with the keys of {file}");
        else if (trouble != told) errors?.Error("tls", $"{trouble}: the keys of session tickets stay as they are");
        told = trouble ?? "";
    }

    // A key stays until what it sealed last has expired.
    private void RotateOwn(int most)
    {
        rotatedAt = Environment.TickCount64;
        keys.Rotate(Math.Min(most, 1 + (int)Math.Ceiling(lifetime / every)));
    }

    private static DateTime WrittenAt(string path)
    {
        try
        {
            var target = File.ResolveLinkTarget(path, returnFinalTarget: true) ?? new FileInfo(path);
            return target.Exists ? target.LastWriteTimeUtc : DateTime.MinValue.AddTicks(1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return DateTime.MinValue.AddTicks(1);
        }
    }

    private static string? Read(string path, Action<ReadOnlySpan<byte>> use)
    {
        Span<byte> bytes = stackalloc byte[(TicketKeys.MostKeys * TicketKeys.KeyBytes) + 1];
        try
        {
            using var handle = File.OpenHandle(path);
            if ((File.GetUnixFileMode(handle) & (UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite)) != 0) return $"{path}: it may be read or written by others: its mode must be 600";
            var length = 0;
            while (length < bytes.Length && RandomAccess.Read(handle, bytes[length..], length) is > 0 and var got) length += got;
            if (length == 0 || length == bytes.Length || length % TicketKeys.KeyBytes != 0) return $"{path}: it must hold one to {TicketKeys.MostKeys} keys of {TicketKeys.KeyBytes} bytes";
            use(bytes[..length]);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"{path}: {e.Message}";
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
