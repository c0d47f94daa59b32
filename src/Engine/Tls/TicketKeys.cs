// Keys that seal session tickets. They never lie in managed memory: one block of the native heap holds them for as long as the
// program runs, and what rotates out is overwritten. Copied out under a lock that is held for a few steps, at handshakes only.

using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Weir.Engine.Tls;

/// <summary>How a ticket's key was found.</summary>
public enum TicketAge : byte
{
    Unknown,

    /// <summary>It seals new tickets too.</summary>
    Current,

    /// <summary>It only opens what it has sealed.</summary>
    Older,
}

/// <summary>The keys of session tickets, shared by all listeners. Any thread.</summary>
public sealed unsafe class TicketKeys
{
    /// <summary>Of a key: its name (16 bytes), the MAC's key (32), the cipher's key (32).</summary>
    public const int KeyBytes = 80;

    /// <summary>Keys kept at once: the first seals, all open.</summary>
    public const int MostKeys = 8;

    internal const int NameBytes = 16;

    private readonly Lock turn = new();
    private readonly byte* block = (byte*)NativeMemory.AllocZeroed(MostKeys * KeyBytes);
    private int count;

    public TicketKeys() => Rotate(1);

    /// <summary>Keys in use now.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>A new key seals from now on.</summary>
    /// <param name="keep">How many there may be then.</param>
    public void Rotate(int keep)
    {
        lock (turn)
        {
            var all = new Span<byte>(block, MostKeys * KeyBytes);
            all[..^KeyBytes].CopyTo(all[KeyBytes..]);
            RandomNumberGenerator.Fill(all[..KeyBytes]);
            count = Math.Clamp(keep, 1, Math.Min(MostKeys, count + 1));
            CryptographicOperations.ZeroMemory(all[(count * KeyBytes)..]);
        }
    }

    /// <summary>Takes keys that several nodes share: the first seals.</summary>
    /// <param name="keys">At most <see cref="MostKeys"/>, one behind the other.</param>
    public void Use(ReadOnlySpan<byte> keys)
    {
        ArgumentOutOfRangeException.ThrowIfZero(keys.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(keys.Length % KeyBytes, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keys.Length, MostKeys * KeyBytes);
        lock (turn)
        {
            var all = new Span<byte>(block, MostKeys * KeyBytes);
            keys.CopyTo(all);
            count = keys.Length / KeyBytes;
            CryptographicOperations.ZeroMemory(all[keys.Length..]);
        }
    }

    /// <summary>Copies the key that seals.</summary>
    internal void Current(Span<byte> into)
    {
        lock (turn) new ReadOnlySpan<byte>(block, KeyBytes).CopyTo(into);
    }

    /// <summary>Copies the key of a name.</summary>
    internal TicketAge Find(ReadOnlySpan<byte> name, Span<byte> into)
    {
        lock (turn)
        {
            for (var i = 0; i < count; i++)
            {
                var key = new ReadOnlySpan<byte>(block + (i * KeyBytes), KeyBytes);
                if (!key[..NameBytes].SequenceEqual(name)) continue;
                key.CopyTo(into);
                return i == 0 ? TicketAge.Current : TicketAge.Older;
            }
        }

        return TicketAge.Unknown;
    }
}
