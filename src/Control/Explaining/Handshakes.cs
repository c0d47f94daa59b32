// What a handshake would come to: whose certificates are shown to a client that asks for a URL's host, and why.

using System.Text;
using Weir.Control.Certificates;
using Weir.Engine;
using Weir.Engine.Tls;
using Weir.Engine.Transports;

namespace Weir.Control.Explaining;

internal static class Handshakes
{
    /// <summary>Tells it.</summary>
    /// <returns>What was agreed on; null: the listener speaks no TLS, or the client is refused.</returns>
    public static TlsFacts? Tell(ListenerPlan listener, Uri uri, IReadOnlyList<SiteCertificates> sites, StringBuilder text)
    {
        if (listener.Tls is not OpenSslServer server) return null;
        var name = uri.HostNameType == UriHostNameType.Dns ? uri.IdnHost.ToLowerInvariant() : ""; // RFC 6066 §3: addresses are not asked for.
        var asked = Encoding.ASCII.GetBytes(name);
        var site = server.Choose(asked);
        var why = name.Length == 0 ? "asked for no name" : $"asked for {name}";
        if (site is null)
        {
            text.Append($"  refused in the handshake: {why}, which {(name.Length == 0 ? "strict_sni does not let pass" : "no site has, and strict_sni is on")}\n");
            return null;
        }

        var found = sites.First(s => s.Site == site);
        if (server.Sites.FindNamed(asked) is null) why += name.Length == 0 ? "; it is the default" : ", which no site has; it is the default";
        text.Append($"  certificates of site {found.Name}: {why}\n");
        foreach (var certificate in found.Shown) text.Append($"    {certificate}{(found.Shown.Count > 1 ? $", for clients that take {certificate.Kind.ToUpperInvariant()}" : "")}\n");
        if (found.Shown.Count == 0) text.Append("    obtained by itself (tls: auto): weir cert show NAME tells what a running proxy has\n");
        if (site.Clients is { } clients) text.Append($"  asks for a client certificate, {(clients.IsRequired ? "required" : "optional")}, of an authority in '{clients.Authorities}'\n");
        return new TlsFacts { ServerName = asked, Site = site, Demands = site.Clients, Names = site.Shown?.Names ?? [] };
    }
}
