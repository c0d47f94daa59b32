// Who of several nodes that share a folder works on what lies in it. The lease is a file `lease.N`; whoever makes the next N has
// it, and making a file that must not be there is what even NFS decides on the server, for one of those who try. It is never
// taken over because of what a clock says: whoever waits must have seen it unchanged for its whole time, so that clocks that
// differ do no harm; only where its owner ran on this machine and is dead is it taken at once. A holder that was stopped for
// long finds the next N there, and has lost it.
//
// Limits: between two looks at its lease a holder may go on for a moment after it was taken over; what it does then is ask a CA
// twice, or write a whole certificate over a whole certificate. A folder whose server keeps no order of creation (some object
// stores mounted as files) is not for sharing.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Weir.Engine.Disk;

namespace Weir.Control.Certificates;

/// <summary>A lease on a folder. One thread at a time.</summary>
/// <param name="folder">What it is on; it exists.</param>
/// <param name="owner">Who asks for it.</param>
/// <param name="time">The clock.</param>
internal sealed class Lease(string folder, LeaseOwner owner, TimeProvider time)
{
    /// <summary>How long it holds where it is not renewed.</summary>
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(90);

    /// <summary>How often it is renewed.</summary>
    public static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(20);

    private const string Prefix = "lease.";
    private const int MostBytes = 1024;

    private long held;
    private long renewedAt;
    private (string Text, long Since)? seen;

    /// <summary>Whether it is ours by our own clock, with some of its time left.</summary>
    public bool IsHeld => held > 0 && time.GetElapsedTime(renewedAt) < Duration - RenewEvery;

    /// <summary>Whether it is time to renew it.</summary>
    public bool IsDue => time.GetElapsedTime(renewedAt) >= RenewEvery;

    /// <summary>Takes it; false where somebody else has it. Throws what files throw.</summary>
    /// <param name="holder">Who has it.</param>
    public bool TryTake(out string holder)
    {
        var last = Last();
        holder = "";
        if (last > 0 && !IsFree(last, out holder)) return false;
        var now = time.GetTimestamp();
        if (!PrivateFile.TryCreate(PathOf(last + 1), Content())) return false;
        // Whoever saw a list that was old already finds it out here.
        if (Last() != last + 1)
        {
            File.Delete(PathOf(last + 1));
            return false;
        }

        (held, renewedAt, seen) = (last + 1, now, null);
        foreach (var old in Numbers().Where(n => n <= last)) File.Delete(PathOf(old));
        return true;
    }

    /// <summary>Holds it for longer; false: it is lost. Throws what files throw.</summary>
    public bool TryRenew()
    {
        var now = time.GetTimestamp();
        if (!IsHeld || Last() != held) return Lose();
        PrivateFile.Write(PathOf(held), Content());
        if (Last() != held) return Lose();
        renewedAt = now;
        return true;
    }

    /// <summary>Gives it back. Throws what files throw.</summary>
    public void Release()
    {
        if (IsHeld && Last() == held) PrivateFile.Write(PathOf(held), "free\n"u8);
        held = 0;
    }

    private bool Lose()
    {
        held = 0;
        return false;
    }

    private bool IsFree(long number, out string holder)
    {
        using var bytes = PrivateFile.Read(PathOf(number), MostBytes, out _);
        var text = bytes is null ? "" : Encoding.UTF8.GetString(bytes.Span);
        holder = text.Split('\n')[0];
        if (holder == "free" || holder == owner.Text || LeaseOwner.IsDead(holder)) return true;
        if (seen?.Text == text) return time.GetElapsedTime(seen.Value.Since) >= Duration;
        seen = (text, time.GetTimestamp());
        return false;
    }

    // The random part makes each renewal another text.
    private byte[] Content() => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{owner.Text}\nuntil {time.GetUtcNow() + Duration:yyyy-MM-dd'T'HH:mm:ss'Z'}\n{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}\n"));

    private string PathOf(long number) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}"));

    private long Last() => Numbers().DefaultIfEmpty().Max();

    private IEnumerable<long> Numbers() => Directory.EnumerateFiles(folder, Prefix + "*")
        .Select(static f => long.TryParse(Path.GetFileName(f).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0)
        .Where(static n => n > 0).ToArray();
}

/// <summary>A process that takes leases.</summary>
/// <param name="Text">One line: the machine's name, its boot, the namespace of process ids, the process, when it started, and a random number.</param>
internal sealed record LeaseOwner(string Text)
{
    /// <summary>This process.</summary>
    public static LeaseOwner OfThisProcess()
    {
        var id = Environment.ProcessId;
        return new LeaseOwner(string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName} {Here()} {id} {StartOf(id)} {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}"));
    }

    /// <summary>Whether an owner was a process that this machine would know of, and does not any more.</summary>
    public static bool IsDead(string owner)
    {
        var parts = owner.Split(' ');
        if (parts.Length != 6 || Here() is not { Length: > 1 } here || $"{parts[1]} {parts[2]}" != here) return false;
        return int.TryParse(parts[3], NumberStyles.None, CultureInfo.InvariantCulture, out var id) && parts[4] != "0" && StartOf(id) != parts[4];
    }

    // Two containers of one machine have the same boot, and each its own process ids.
    private static string Here()
    {
        try
        {
            var space = new FileInfo("/proc/self/ns/pid").LinkTarget ?? "";
            return space.Length == 0 ? " " : $"{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()} {space}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return " ";
        }
    }

    // The 22nd word of /proc/N/stat; the second may hold spaces. "gone": there is no such process, or it has ended and nobody has
    // asked how (one that was killed in a container, for ever); "0": nothing is known of it.
    private static string StartOf(int id)
    {
        try
        {
            var text = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            var words = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return words[0] is "Z" or "X" ? "gone" : words.Length > 19 ? words[19] : "0";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return "gone";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "0";
        }
    }
}
