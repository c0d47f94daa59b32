// The names that may stand in braces.

using System.Globalization;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Transports;

namespace Weir.Control.Configuration;

/// <summary>Placeholders of templates.</summary>
public static class Placeholders
{
    /// <summary>Names and meanings, for the reference.</summary>
    public static readonly (string Name, Placeholder Kind, string Meaning)[] All =
    [
        ("host", Placeholder.Host, "the host, lower case, without its port"),
        ("authority", Placeholder.Authority, "host and port as the client wrote them"),
        ("path", Placeholder.Path, "the path that is sent on, still encoded"),
        ("query", Placeholder.Query, "the query that is sent on, without '?'"),
        ("uri", Placeholder.Uri, "path, and '?' with the query where there is one"),
        ("scheme", Placeholder.Scheme, "http or https"),
        ("method", Placeholder.Method, "the method"),
        ("client_ip", Placeholder.ClientIp, "the client's address, as trusted proxies tell it"),
        ("client_port", Placeholder.ClientPort, "the port of the connection's peer"),
        ("request_id", Placeholder.RequestId, "the request's id"),
        ("status", Placeholder.Status, "the response's status (in response_headers)"),
    ];

    /// <summary>Those of the client's TLS: empty where there is none.</summary>
    public static readonly (string Name, TlsFact Fact, string Meaning)[] Tls =
    [
        ("tls_version", TlsFact.Version, "the client's version of TLS, such as TLSv1.3"),
        ("tls_cipher", TlsFact.Cipher, "the cipher suite of the client's TLS"),
        ("tls_server_name", TlsFact.ServerName, "the name that the client asked for in its handshake (SNI)"),
        ("tls_resumed", TlsFact.Resumed, "yes where the client went on with an earlier session, else no"),
        ("client_cert_subject", TlsFact.ClientSubject, "the subject of the client's certificate"),
        ("client_cert_issuer", TlsFact.ClientIssuer, "its issuer"),
        ("client_cert_serial", TlsFact.ClientSerial, "its serial number, in hexadecimal digits"),
        ("client_cert_fingerprint", TlsFact.ClientFingerprint, "its SHA-256, in hexadecimal digits"),
        ("client_cert_names", TlsFact.ClientNames, "its alternative names, with commas between"),
        ("client_cert", TlsFact.ClientCertificate, "all of it, as the Client-Cert field has it (RFC 9440)"),
    ];

    /// <summary>Their names alone.</summary>
    public static IEnumerable<string> Names => All.Select(p => p.Name).Concat(Tls.Select(t => t.Name)).Append("header:name").Append("1");

    /// <summary>Reads what stands in braces: a name, "header:NAME", or the number or name of a group; null: unknown.</summary>
    public static Template.Part? Read(string name)
    {
        foreach (var (known, kind, _) in All)
        {
            if (known == name) return new Template.Part(kind, []);
        }

        foreach (var (known, fact, _) in Tls)
        {
            if (known == name) return new Template.Part(Placeholder.Tls, [], (int)fact);
        }

        if (name.StartsWith("header:", StringComparison.Ordinal) && name.Length > 7) return new Template.Part(Placeholder.Header, Encoding.ASCII.GetBytes(name[7..]));
        if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var group) && group < Captures.Most) return new Template.Part(Placeholder.Capture, [], group);
        if (name.StartsWith("group:", StringComparison.Ordinal) && name.Length > 6) return new Template.Part(Placeholder.Capture, Encoding.UTF8.GetBytes(name[6..]), -1);
        return null;
    }
}
