// Automatic certificates, seen and renewed while the proxy runs:
//   GET  /certificates              all of them
//   GET  /certificates/NAME         one
//   POST /certificates/NAME/renew   orders a new one now
// Names are percent-encoded. No key is ever told. 404: the name is not one that certificates are obtained for.

using System.Text;
using System.Text.Json;
using Weir.Control.Certificates;
using Weir.Control.Configuration;
using Weir.Engine.Exchanges;

namespace Weir.Control.Admin;

/// <summary>Answers for certificates. On the admin loop.</summary>
internal sealed class CertificatesHandler(RunningProxy proxy)
{
    public const string Path = "/certificates";

    public void Answer(Exchange exchange, string method, string path)
    {
        var all = proxy.Automatic.Issuance?.All ?? [];
        if (path == Path)
        {
            if (method is "GET" or "HEAD") AdminAnswer.Json(exchange, 200, Write(all));
            else AdminAnswer.NotAllowed(exchange, method, "GET, HEAD");
            return;
        }

        var parts = path[(Path.Length + 1)..].Split('/');
        var name = Uri.UnescapeDataString(parts[0]).ToLowerInvariant();
        if (parts.Length > 2 || (parts.Length == 2 && parts[1] != "renew"))
        {
            AdminAnswer.Error(exchange, 404, "there is nothing here");
        }
        else if (Array.Find(all, c => c.Name == name) is not { } one)
        {
            AdminAnswer.Error(exchange, 404, $"no certificate is obtained for '{name}'{NearestWord.Suggest(name, all.Select(static c => c.Name))}");
        }
        else if (parts.Length == 1)
        {
            if (method is "GET" or "HEAD") AdminAnswer.Json(exchange, 200, Text(json => Write(json, one)));
            else AdminAnswer.NotAllowed(exchange, method, "GET, HEAD");
        }
        else if (method != "POST")
        {
            AdminAnswer.NotAllowed(exchange, method, "POST");
        }
        else
        {
            proxy.Automatic.Issuance!.Renew(name);
            AdminAnswer.Json(exchange, 200, Text(json => Write(json, one)));
        }
    }

    private static string Write(CertificateStatus[] all) => Text(json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("certificates");
        foreach (var one in all) Write(json, one);
        json.WriteEndArray();
        json.WriteEndObject();
    });

    private static void Write(Utf8JsonWriter json, CertificateStatus one)
    {
        json.WriteStartObject();
        json.WriteString("name", one.Name);
        json.WriteString("state", one switch { { IsOrdering: true } => "ordering", { Given: null, Trouble: null } => "waiting", { Trouble: not null } => "failing", _ => "good" });
        json.WriteBoolean("on_demand", one.IsOnDemand);
        if (one.Given is { } given)
        {
            json.WriteString("issuer", given.Issuer ?? given.SignedBy);
            json.WriteString("signed_by", given.SignedBy);
            json.WriteString("serial", given.Serial);
            json.WriteString("sha256", given.Digest);
            json.WriteString("key", given.KeyAlgorithm);
            json.WriteStartArray("names");
            foreach (var name in given.Names) json.WriteStringValue(name);
            json.WriteEndArray();
            json.WriteString("not_before", Second(given.NotBefore));
            json.WriteString("not_after", Second(given.NotAfter));
            json.WriteString("file", given.Path);
        }

        if (one.RenewAt is { } renew) json.WriteString("renewal", Second(renew));
        if (one.TryAt is { } tried) json.WriteString("next_try", Second(tried));
        if (one.Trouble is { } trouble) json.WriteString("trouble", trouble);
        json.WriteEndObject();
    }

    // Chance and clocks know fractions of seconds, which tell nobody anything.
    private static DateTimeOffset Second(DateTimeOffset at) => DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds());

    private static string Text(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true })) write(json);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }
}
