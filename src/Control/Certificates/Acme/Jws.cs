// What is sent to a CA is signed (RFC 8555 §6.2, RFC 7515): ES256 with the account's key, HS256 for an external account.

using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Weir.Control.Certificates.Acme;

/// <summary>Signs.</summary>
internal static class Jws
{
    /// <summary>The public half of a key, as JSON in the one form whose digest is its thumbprint (RFC 7638).</summary>
    public static string Jwk(ECDsa key)
    {
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return $$"""{"crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(point.X)}}","y":"{{Base64Url.EncodeToString(point.Y)}}"}""";
    }

    public static string Thumbprint(ECDsa key) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(Jwk(key))));

    /// <summary>A signed request.</summary>
    /// <param name="key">The account's.</param>
    /// <param name="account">The account's URL; null: the key itself is told, as nobody knows an account yet.</param>
    /// <param name="url">Where it goes.</param>
    /// <param name="nonce">The CA's.</param>
    /// <param name="payload">What is asked; empty: only to see what is there (§6.3).</param>
    public static byte[] Sign(ECDsa key, string? account, Uri url, string nonce, ReadOnlySpan<byte> payload)
    {
        var head = Head("ES256", json =>
        {
            if (account is null)
            {
                json.WritePropertyName("jwk");
                json.WriteRawValue(Jwk(key));
            }
            else
            {
                json.WriteString("kid", account);
            }

            json.WriteString("nonce", nonce);
            json.WriteString("url", url.AbsoluteUri);
        });
        return Finish(head, payload, signed => key.SignData(signed, HashAlgorithmName.SHA256));
    }

    /// <summary>Binds an account to one elsewhere (§7.3.4).</summary>
    public static byte[] Bind(ECDsa key, string keyId, ReadOnlySpan<byte> secret, Uri url)
    {
        var head = Head("HS256", json =>
        {
            json.WriteString("kid", keyId);
            json.WriteString("url", url.AbsoluteUri);
        });
        var mac = secret.ToArray();
        try
        {
            return Finish(head, Encoding.UTF8.GetBytes(Jwk(key)), signed => HMACSHA256.HashData(mac, signed));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(mac);
        }
    }

    private static string Head(string algorithm, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("alg", algorithm);
            write(json);
            json.WriteEndObject();
        }

        return Base64Url.EncodeToString(buffer.WrittenSpan);
    }

    private static byte[] Finish(string head, ReadOnlySpan<byte> payload, Func<byte[], byte[]> sign)
    {
        var body = Base64Url.EncodeToString(payload);
        var signature = Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes($"{head}.{body}")));
        return Encoding.ASCII.GetBytes($$"""{"protected":"{{head}}","payload":"{{body}}","signature":"{{signature}}"}""");
    }
}
