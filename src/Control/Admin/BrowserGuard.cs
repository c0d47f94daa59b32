// A web page can make a browser on this machine send requests here, and with a name of its own that it lets point here (DNS
// rebinding) even read the answers. Such a request carries Origin or Sec-Fetch-Site, or a Host that is a name.

using System.Net;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;

namespace Weir.Control.Admin;

/// <summary>Tells requests of programs from those that a web page made a browser send.</summary>
internal static class BrowserGuard
{
    /// <summary>Whether nothing says that a web page is behind it.</summary>
    public static bool IsOwn(Request request)
    {
        for (var i = 0; i < request.Fields.Index.Count; i++)
        {
            var name = request.Fields.Name(i);
            if (Ascii.EqualsIgnoreCase(name, "origin"u8)) return false;
            if (Ascii.EqualsIgnoreCase(name, "sec-fetch-site"u8) && !request.Fields.Value(i).SequenceEqual("none"u8)) return false;
        }

        var host = System.Text.Encoding.ASCII.GetString(request.Host.Span);
        return host.Length == 0 || host == "localhost" || IPAddress.TryParse(host.Trim('[', ']'), out _);
    }
}
