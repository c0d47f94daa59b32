// Sealing and opening session tickets (RFC 5077 §4's form, which OpenSSL writes around it): AES-256-CBC and HMAC-SHA-256. Called
// by libssl in the midst of a handshake.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Weir.Engine.Tls;

internal static unsafe class Tickets
{
    private const int IvBytes = 16;
    private const int MacKeyBytes = 32;
    private const int Failed = -1;
    private const int NoTicket = 0;
    private const int Good = 1;
    private const int GoodAndRenew = 2;

    // Found once: looking an algorithm up by name costs more than using it.
    private static readonly nint Cipher = OpenSsl.EVP_CIPHER_fetch(0, "AES-256-CBC", null);

    /// <summary>libssl asks for the key to seal or open a ticket with.</summary>
    [UnmanagedCallersOnly]
    public static int OnTicket(nint ssl, byte* name, byte* iv, nint cipher, nint mac, int seals)
    {
        if (OpenSslEngine.Of(ssl).Server?.Tickets is not { } keys) return NoTicket;
        Span<byte> key = stackalloc byte[TicketKeys.KeyBytes];
        var found = TicketAge.Current;
        if (seals != 0)
        {
            keys.Current(key);
            key[..TicketKeys.NameBytes].CopyTo(new Span<byte>(name, TicketKeys.NameBytes));
            RandomNumberGenerator.Fill(new Span<byte>(iv, IvBytes));
        }
        else
        {
            found = keys.Find(new ReadOnlySpan<byte>(name, TicketKeys.NameBytes), key);
        }

        // A ticket of TLS 1.3 is for one use (RFC 8446 appendix C.4): who goes on with a session gets another.
        var renews = found == TicketAge.Older || (seals == 0 && OpenSsl.SSL_version(ssl) == OpenSsl.Tls13);
        var result = found == TicketAge.Unknown ? NoTicket : !Begin(key, iv, cipher, mac, seals) ? Failed : renews ? GoodAndRenew : Good;
        CryptographicOperations.ZeroMemory(key);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Begin(Span<byte> key, byte* iv, nint cipher, nint mac, int seals)
    {
        fixed (byte* start = key)
        fixed (byte* keyName = "key\0"u8)
        fixed (byte* digestName = "digest\0"u8)
        fixed (byte* digest = "SHA256\0"u8)
        {
            var parameters = stackalloc OpenSsl.Parameter[3];
            parameters[0] = new OpenSsl.Parameter { Name = keyName, Type = OpenSsl.OctetString, Data = start + TicketKeys.NameBytes, Size = MacKeyBytes };
            parameters[1] = new OpenSsl.Parameter { Name = digestName, Type = OpenSsl.Utf8String, Data = digest, Size = 6 };
            parameters[2] = default;
            return OpenSsl.EVP_MAC_CTX_set_params(mac, parameters) == 1
                && OpenSsl.EVP_CipherInit_ex(cipher, Cipher, 0, start + TicketKeys.NameBytes + MacKeyBytes, iv, seals) == 1;
        }
    }
}
