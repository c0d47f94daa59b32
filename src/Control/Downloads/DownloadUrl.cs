// URLs of downloads: what may be asked for, how servers that have the same are asked with one path, and what a file is called.

using System.Text;

namespace Weir.Control.Downloads;

/// <summary>Reads URLs.</summary>
public static class DownloadUrl
{
    /// <summary>Bytes of a file's name: what is put behind it has room in 255.</summary>
    public const int LongestName = 240;

    /// <summary>Reads one, and what of it is said in a field: user and password are Authorization (RFC 7617).</summary>
    public static bool TryRead(string text, out Uri url, out string? authorization, out string trouble)
    {
        (authorization, trouble) = (null, "");
        if (!Uri.TryCreate(text, UriKind.Absolute, out url!) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
        {
            trouble = $"expected a URL such as https://example.com/file, found '{text}'{(text.Contains("://", StringComparison.Ordinal) ? "" : $"; did you mean 'https://{text}'?")}";
            return false;
        }

        if (url.UserInfo.Length > 0) authorization = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(url.UserInfo)));
        url = new UriBuilder(url) { UserName = "", Password = "", Fragment = "" }.Uri;
        return true;
    }

    /// <summary>Scheme and authority, as an endpoint is written.</summary>
    public static string Origin(Uri url) =>
        $"{url.Scheme}://{(url.HostNameType == UriHostNameType.IPv6 ? url.Host : url.IdnHost)}{(url.IsDefaultPort ? "" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $":{url.Port}"))}";

    /// <summary>The end that all paths have in common, with the query, and what stands before it at each; null: they end differently.</summary>
    public static (string Target, string[] Prefixes)? Shared(IReadOnlyList<Uri> urls)
    {
        if (urls.Count == 1) return (urls[0].PathAndQuery, [""]);
        var paths = urls.Select(static u => u.AbsolutePath.Split('/')).ToArray();
        var most = paths.Min(static p => p.Length) - 1; // The first is empty: what is before the first slash.
        var common = 0;
        while (common < most && Array.TrueForAll(paths, p => p[^(common + 1)] == paths[0][^(common + 1)])) common++;
        if (common == 0 || urls.Any(u => u.Query != urls[0].Query)) return null;
        return ("/" + string.Join('/', paths[0][^common..]) + urls[0].Query, [.. paths.Select(p => string.Join('/', p[..^common]))]);
    }

    /// <summary>What a file is called when nobody says: the end of the path. Never a path, never what a terminal takes for a command.</summary>
    public static string FileName(Uri url)
    {
        var last = Uri.UnescapeDataString(url.AbsolutePath[(url.AbsolutePath.LastIndexOf('/') + 1)..]);
        var name = string.Concat(last.Select(static c => c is '/' or '\\' || char.IsControl(c) ? '_' : c)).Trim();
        if (name is "" or "." or "..") return "index.html";
        while (Encoding.UTF8.GetByteCount(name) > LongestName) name = name[..^(char.IsLowSurrogate(name[^1]) ? 2 : 1)];
        return name;
    }
}
