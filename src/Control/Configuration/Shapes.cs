// The scalars of the language: durations, sizes, rates, addresses, patterns, templates.

using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Transports;
using Ascii = Weir.Wire.Bytes.Ascii;

namespace Weir.Control.Configuration;

/// <summary>Shapes of single values.</summary>
public static class Shapes
{
    /// <summary>Milliseconds that mean "no limit".</summary>
    public const long NoLimit = long.MaxValue;

    private static readonly List<string> Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT", "PURGE"];

    private static readonly string[] DurationUnits = ["ms", "s", "m", "h", "d"];

    public static Shape<bool> Bool { get; } = new ScalarShape<bool>("true or false", "boolean", text => text switch
    {
        "true" => (true, null),
        "false" => (false, null),
        _ => (false, $"expected true or false, found '{text}'"),
    });

    public static Shape<bool> Switch { get; } = new ScalarShape<bool>("on or off", "scalar", text => text switch
    {
        "on" => (true, null),
        "off" => (false, null),
        _ => (true, $"expected on or off, found '{text}'{(text is "true" or "yes" ? "; did you mean 'on'?" : text is "false" or "no" ? "; did you mean 'off'?" : "")}"),
    });

    public static Shape<string> Text { get; } = new ScalarShape<string>("text", "string", text => (text, null));

    /// <summary>Milliseconds; "off" for no limit.</summary>
    public static Shape<long> Duration { get; } = new ScalarShape<long>("a duration such as 250ms, 5s, 2h, or off", "string", ReadDuration, "^(off|[0-9]+(\\.[0-9]+)?(ms|s|m|h|d))$");

    /// <summary>Milliseconds that end.</summary>
    public static Shape<long> Delay { get; } = new ScalarShape<long>("a duration such as 250ms, 5s, 2h", "string", text =>
        text == "off" ? (0, "expected a duration such as 250ms, 5s, 2h, found 'off'") : ReadDuration(text), "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$");

    /// <summary>Milliseconds; years count 365 days.</summary>
    public static Shape<long> Age { get; } = new ScalarShape<long>("a duration such as 1y, 180d, or off", "string", text =>
        text.EndsWith('y') && long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var years) && years <= 100 ? (years * 365 * 24 * 3_600_000, null) :
        ReadDuration(text) is (var duration, null) ? (duration, null) : (0, $"expected a duration such as 1y, 180d, or off, found '{text}'"), "^(off|[0-9]+y|[0-9]+(\\.[0-9]+)?(ms|s|m|h|d))$");

    /// <summary>Milliseconds between two durations, which are written as they are to be read.</summary>
    public static Shape<long> DurationFrom(string least, string most) => new ScalarShape<long>($"a duration from {least} to {most}", "string", text =>
    {
        var (duration, trouble) = ReadDuration(text);
        return trouble is null && duration >= ReadDuration(least).Value && duration <= ReadDuration(most).Value ? (duration, null) : (0, trouble is null || text == "off" ? $"expected a duration from {least} to {most}, found '{text}'" : trouble);
    }, "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$");

    /// <summary>A name that servers can be asked for.</summary>
    public static Shape<string> DnsName { get; } = new ScalarShape<string>("a name such as app.internal", "string", text =>
        IPAddress.TryParse(text, out _) ? (text, $"'{text}' is an address: it belongs in endpoints") :
        Discovery.DnsMessage.IsName(text) ? (text.ToLowerInvariant(), null) : (text, $"expected a name such as app.internal, without scheme, port or path, found '{text}'"));

    /// <summary>Whom a certificate is for.</summary>
    public static Shape<string> CertifiedName { get; } = new ScalarShape<string>("a name such as app.internal, or an address", "string", text =>
        IPAddress.TryParse(text, out _) || Discovery.DnsMessage.IsName(text) ? (text.ToLowerInvariant().TrimEnd('.'), null) : (text, $"expected a name such as app.internal, or an address, without scheme or port, found '{text}'"));

    /// <summary>A name server: an address, and a port unless it is 53.</summary>
    public static Shape<IPEndPoint> NameServer { get; } = new ScalarShape<IPEndPoint>("the address of a name server such as 10.0.0.53 or 10.0.0.53:5353", "string", text =>
        IPAddress.TryParse(text, out var ip) ? (new IPEndPoint(ip, 53), null) :
        IPEndPoint.TryParse(text, out var end) && end.Port > 0 ? (end, null) : (null!, $"expected the address of a name server such as 10.0.0.53 or 10.0.0.53:5353, found '{text}'"));

    /// <summary>An issuer of certificates: a word, or the URL of its directory.</summary>
    public static Shape<string> Issuer { get; } = new ScalarShape<string>("letsencrypt, letsencrypt-staging, zerossl, google, or the URL of an ACME directory", "string", text =>
        Certificates.Issuer.Known.Any(k => k.Word == text) || (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme == "https") ? (text, null)
        : (text, $"expected letsencrypt, letsencrypt-staging, zerossl, google, or the https:// URL of an ACME directory, found '{text}'{NearestWord.Suggest(text, Certificates.Issuer.Known.Select(static k => k.Word))}"));

    public static Shape<string> Email { get; } = new ScalarShape<string>("an email address", "string", text =>
        text.Length <= 254 && text.Split('@') is [{ Length: > 0 } name, { Length: > 0 }] && !name.Contains(',', StringComparison.Ordinal) && text.All(static c => c is > ' ' and < (char)127 and not '?' and not '%') ? (text, null) : (text, $"expected an email address, found '{text}'"));

    public static Shape<string> EabKey { get; } = new ScalarShape<string>("a key in base64url", "string", text =>
        Certificates.Acme.AcmeAccount.Secret(text) is { Length: >= 16 } ? (text, null) : (text, "expected a key of at least 16 bytes in base64url")); // Not told: it is a secret.

    public static Shape<string> TsigSecret { get; } = new ScalarShape<string>("a key in base64", "string", text =>
        Convert.TryFromBase64String(text, new byte[text.Length + 3], out var length) && length >= 16 ? (text, null) : (text, "expected a key of at least 16 bytes in base64"));

    public static Shape<Uri> AskUrl { get; } = new ScalarShape<Uri>("a URL such as http://127.0.0.1:8000/allowed", "string", text =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? (url!, null) : (null!, $"expected a URL such as http://127.0.0.1:8000/allowed, found '{text}'"));

    /// <summary>The mode of a file, in octal digits.</summary>
    public static Shape<UnixFileMode?> FileMode { get; } = new ScalarShape<UnixFileMode?>("a mode in octal digits such as \"660\"", "scalar", text =>
        text.Length is 3 or 4 && text.All(c => c is >= '0' and <= '7') && Convert.ToInt32(text, 8) is <= 0x1FF and var mode ? ((UnixFileMode)mode, null) : (null, $"expected a mode in octal digits such as \"660\", found '{text}'"));

    public static Shape<long> Size { get; } = new ScalarShape<long>("a size such as 64KiB, 10MiB or off", "scalar", ReadSize);

    /// <summary>A size between two others, which are written as they are to be read.</summary>
    public static Shape<long> SizeFrom(string least, string most) => new ScalarShape<long>($"a size from {least} to {most}", "scalar", text =>
    {
        var (size, trouble) = ReadSize(text);
        if (trouble is null && (size < ReadSize(least).Value || size > ReadSize(most).Value)) trouble = $"expected a size from {least} to {most}, found '{text}'";
        return (size, trouble);
    });

    /// <summary>Bytes per second.</summary>
    public static Shape<long> ByteRate { get; } = new ScalarShape<long>("bytes per second such as 240B/s, 10KiB/s or off", "string", text =>
    {
        if (text == "off") return (0, null);
        if (text.EndsWith("/s", StringComparison.Ordinal) && ReadSize(text[..^2]) is { Trouble: null } size) return size;
        return (0, $"expected bytes per second such as 240B/s, found '{text}'");
    });

    public static Shape<NetworkAddress> Address { get; } = new ScalarShape<NetworkAddress>("an address such as :8080, 127.0.0.1:80, [::1]:80 or unix:/path", "string", ReadAddress);

    public static Shape<IPNetwork> Network { get; } = new ScalarShape<IPNetwork>("an address or network such as 10.0.0.0/8", "string", text => ReadNetwork(text, "an address or network such as 10.0.0.0/8"));

    /// <summary>Where a proxy connects from; null: over a Unix socket.</summary>
    public static Shape<IPNetwork?> Proxy { get; } = new ScalarShape<IPNetwork?>("an address or network such as 10.0.0.0/8, or unix", "string", text =>
        text == "unix" ? (null, null) : ReadNetwork(text, "an address or network such as 10.0.0.0/8, or unix"));

    public static Shape<Uri> Url { get; } = new ScalarShape<Uri>("a URL such as http://127.0.0.1:9000, https://app.internal or http://unix:/run/app.sock", "string", ReadUrl);

    public static Shape<string> Host { get; } = new ScalarShape<string>("a host such as example.com or *.example.com", "string", text =>
    {
        var name = text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text;
        var lower = text.ToLowerInvariant();
        if (text == "*") return (text, "'*' is no host: leave hosts out, and the site is the default");
        if (name.Contains('*', StringComparison.Ordinal)) return (text, $"'*' stands first, alone before a dot, as in \"*.example.com\": '{text}' would never match");
        if (name.Length > 0 && !name.EndsWith('.') && Wire.Targets.HostName.TrySplit(Encoding.UTF8.GetBytes(name), out var length, out _) && length == name.Length) return (lower, null);
        return (text, $"expected a host such as example.com or \"*.example.com\", without port, found '{text}'");
    });

    public static Shape<string> Method { get; } = new ScalarShape<string>("a method such as GET", "string", text =>
        Methods.Find(m => m != text && string.Equals(m, text, StringComparison.OrdinalIgnoreCase)) is { } meant ? (text, $"methods are case-sensitive: '{text}' is not '{meant}'; did you mean '{meant}'?") : Token(text, "a method such as GET"));

    public static Shape<string> HeaderName(Func<string, string?> check) => new ScalarShape<string>("a field name such as x-tenant", "string", text => (text, check(text)));

    public static Shape<StatusRange> StatusRange { get; } = new ScalarShape<StatusRange>("a status or a range of them such as 502 or 500-599", "scalar", ReadStatusRange);

    /// <summary>What is wrong with a status or a range of them, as the name of an entry.</summary>
    public static string? StatusTrouble(string text) => ReadStatusRange(text).Trouble;

    /// <summary>Reads a status or a range of them; a wrong one is none.</summary>
    public static StatusRange StatusesOf(string text) => ReadStatusRange(text).Value;

    /// <summary>Milliseconds in which an answer is used, in whole seconds.</summary>
    public static Shape<long> Freshness { get; } = new ScalarShape<long>("a duration of whole seconds such as 30s, 10m, 1d", "string", text =>
    {
        var (duration, trouble) = ReadDuration(text);
        return trouble is null && text != "off" && duration % 1000 == 0 ? (duration, null) : (0, trouble is null || text == "off" ? $"expected a duration of whole seconds such as 30s, 10m, 1d, found '{text}'" : trouble);
    }, "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$");

    /// <summary>Percent; 0: off.</summary>
    public static Shape<int> Heuristic { get; } = new ScalarShape<int>("true, false, or a percentage from 1% to 100%", "scalar", text => text switch
    {
        "true" => (Engine.Caching.Rules.CacheRules.UsualHeuristicPercent, null),
        "false" => (0, null),
        _ when text.EndsWith('%') && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent is >= 1 and <= 100 => (percent, null),
        _ => (0, $"expected true, false, or a percentage from 1% to 100%, found '{text}'"),
    });

    /// <summary>The name of a query's parameter, as it is written; '*' last for any end.</summary>
    public static Shape<string> Parameter { get; } = new ScalarShape<string>("the name of a parameter such as page or utm_*", "string", text =>
        text.Length > 0 && text.All(static c => c is > ' ' and <= '~' and not ('&' or '=' or '#')) && !text.AsSpan(0, text.Length - 1).Contains('*') ? (text, null)
        : (text, $"expected the name of a parameter such as page or utm_*, as it is written in the query, found '{text}'"));

    private static (StatusRange Value, string? Trouble) ReadStatusRange(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var first = dash < 0 ? text : text[..dash];
        var last = dash < 0 ? text : text[(dash + 1)..];
        if (int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var a) && int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var b) && a is >= 100 and <= 599 && b is >= 100 and <= 599 && a <= b) return (new StatusRange(a, b), null);
        return (default, $"expected a status or a range of them such as 502 or 500-599, found '{text}'");
    }

    public static Shape<PathPattern> Path { get; } = new ScalarShape<PathPattern>("a path such as /a, /a/** or /a/*/b", "string", ReadPath, "^/");

    /// <summary>A path that stands as it is.</summary>
    public static Shape<PathPattern> PlainPath { get; } = new ScalarShape<PathPattern>("a path such as /a", "string", text =>
        text.StartsWith('/') && text.Contains('*', StringComparison.Ordinal) ? (new PathPattern(text), $"this path is taken as it stands, and '*' means nothing in it; did you mean '{text[..text.IndexOf('*', StringComparison.Ordinal)].TrimEnd('/')}'?") : ReadPath(text), "^/");

    public static Shape<Regex> Pattern { get; } = new ScalarShape<Regex>("a regular expression (never backtracking)", "string", text => ReadPattern(text, whole: true));

    /// <summary>An expression that need not match the whole.</summary>
    public static Shape<Regex> LoosePattern { get; } = new ScalarShape<Regex>("a regular expression (never backtracking)", "string", text => ReadPattern(text, whole: false));

    public static Shape<TemplateText> Template { get; } = new TemplateShape(isLine: false);

    /// <summary>A template that becomes part of a head: one line.</summary>
    public static Shape<TemplateText> LineTemplate { get; } = new TemplateShape(isLine: true);

    /// <summary>The same, of a response's head.</summary>
    public static Shape<TemplateText> ResponseLineTemplate { get; } = new TemplateShape(isLine: true, isOfResponse: true);

    /// <summary>What stands in a field as it is.</summary>
    public static Shape<string> FieldValue { get; } = new ScalarShape<string>("text", "string", text => text.All(c => c is >= ' ' and <= '~') ? (text, null) : (text, "only printable ASCII characters can stand here"));

    /// <summary>"keep", "endpoint", or what Host is to say.</summary>
    public static Shape<string> SentHost { get; } = new ScalarShape<string>("keep, endpoint, or a host such as example.com or example.com:8080", "string", text =>
        Wire.Targets.HostName.TrySplit(Encoding.UTF8.GetBytes(text), out _, out _) ? (text, null) : (text, $"expected keep, endpoint, or a host such as example.com or example.com:8080, found '{text}'"));

    /// <summary>A path as it is sent, with its query.</summary>
    public static Shape<string> CheckedTarget { get; } = new ScalarShape<string>("a path such as /healthz", "string", text =>
        text.StartsWith('/') && text.All(static c => c is > ' ' and <= '~' and not '#') ? (text, null)
        : (text, text.StartsWith('/') ? $"'{text}' cannot be sent as it is: a space, '#' and what is not ASCII are written as %20 and the like" : $"expected a path such as /healthz, found '{text}'"), "^/");

    /// <summary>What Host is to say.</summary>
    public static Shape<string> CheckedHost { get; } = new ScalarShape<string>("a host such as example.com or example.com:8080", "string", text =>
        text is not ("keep" or "endpoint") && Wire.Targets.HostName.TrySplit(Encoding.UTF8.GetBytes(text), out _, out _) ? (text, null) : (text, $"expected a host such as example.com or example.com:8080, found '{text}'"));

    /// <summary>What a body is searched for.</summary>
    public static Shape<string> CheckedText { get; } = new ScalarShape<string>("text of 1 to 1024 bytes", "string", text =>
        Encoding.UTF8.GetByteCount(text) is >= 1 and <= 1024 ? (text, null) : (text, "expected text of 1 to 1024 bytes"));

    /// <summary>Where the access log goes; "off" for nowhere.</summary>
    public static Shape<string> AccessLogTarget { get; } = new ScalarShape<string>("off, stdout, stderr, a file's path, syslog, or syslog:HOST:PORT", "string", text => text switch
    {
        "off" => (text, null),
        "none" or "no" or "false" => (text, $"'{text}' would be a file of that name; write off, or ./{text} for the file"),
        "true" or "on" or "yes" => (text, $"'{text}' would be a file of that name; write stdout, or ./{text} for the file"),
        _ => LogTarget(text, "off"),
    });

    /// <summary>Where the error log goes.</summary>
    public static Shape<string> ErrorLogTarget { get; } = new ScalarShape<string>("stderr, stdout, a file's path, syslog, or syslog:HOST:PORT", "string", text => text switch
    {
        "off" or "none" or "no" or "false" => (text, "the error log cannot be off; write { level: error } for the least of it, or /dev/null"),
        "debug" or "info" or "warn" or "error" => (text, $"'{text}' would be a file of that name; write {{ level: {text} }} for the level, or ./{text} for the file"),
        "true" or "on" or "yes" => (text, $"'{text}' would be a file of that name; write stderr, or ./{text} for the file"),
        _ => LogTarget(text),
    });

    // A file is known by its '/' or '.': a bare word is a keyword written wrong.
    private static (string Value, string? Trouble) LogTarget(string text, params string[] further)
    {
        if (text.Length == 0 || text is "stdout" or "stderr" or "syslog" || text.StartsWith("syslog:", StringComparison.Ordinal) || text.AsSpan().ContainsAny('/', '.')) return (text, null);
        return (text, $"'{text}' is no target for a log (a file is written with a '/' or a '.', as in ./{text}){NearestWord.Suggest(text, [.. further, "stdout", "stderr", "syslog"])}");
    }

    /// <summary>The name of a hop in Via (RFC 9110 §7.6.3).</summary>
    public static Shape<string> MediaType { get; } = new ScalarShape<string>("a media type such as text/html, text/* or application/*+json", "string", text =>
        text.Count(static c => c == '*') <= 1 && text.All(static c => c is '/' or '*' or '.' or '+' or '-' or '_' or '!' or '#' or '$' or '&' or '^' || char.IsAsciiLetterOrDigit(c)) && (text == "*" || (text.Count(static c => c == '/') == 1 && text.Split('/').All(static part => part.Length > 0)))
            ? (text, null)
            : (text, $"'{text}' is no media type: write text/html, text/* or application/*+json"));

    public static Shape<string> UrlMatch { get; } = new ScalarShape<string>("a path such as /app/*.js", "string", text =>
        text.StartsWith('/') && !text.Contains('"', StringComparison.Ordinal) && !text.Contains('\\', StringComparison.Ordinal) && Engine.Caching.UrlMatch.TryParse(Encoding.UTF8.GetBytes(text), "https://h/"u8, out _)
            ? (text, null)
            : (text, $"'{text}' is no path with '*' for anything, such as /app/*.js; at most {Engine.Caching.UrlMatch.MostBytes} bytes"));

    public static Shape<string> HopName { get; } = new ScalarShape<string>("a name such as edge-1 or a host", "string", text =>
        text is "off" or "none" or "no" or "false" ? (text, "Via cannot be off: loops are seen by it; write the name of this hop, such as edge-1") : Ascii.IsToken(Encoding.UTF8.GetBytes(text)) || Wire.Targets.HostName.TrySplit(Encoding.UTF8.GetBytes(text), out _, out _) ? (text, null) : (text, $"expected a name such as edge-1 or a host, found '{text}'"));

    public static Shape<long> Int(long least, long most) => new ScalarShape<long>($"a number from {least} to {most}", "integer", text =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) && n >= least && n <= most ? (n, null) : (0, $"expected a number from {least} to {most}, found '{text}'"));

    /// <summary>A site's `tls` in a word.</summary>
    public static Shape<string> AutomaticTls { get; } = new ScalarShape<string>("auto", "string", text =>
        text == "auto" ? (text, null) : (text, $"a site's tls says where its certificates come from: auto, which obtains them, or {{ certificate: FILE, key: FILE }}, or {{ certificates: […] }}; found '{text}'{(text is "true" or "on" or "yes" ? ", which is for a listener: listen: [{ address: \":443\", tls: true }]" : text is "false" or "off" or "no" or "none" ? ": a site without TLS has no tls" : NearestWord.Suggest(text, ["auto"]))}"), choices: ["auto"]);

    public static Shape<string> OneOf(params string[] choices) => OneOf(choices, null);

    /// <param name="choices">The words there are.</param>
    /// <param name="others">What other programs call them.</param>
    public static Shape<string> OneOf(string[] choices, IReadOnlyDictionary<string, string>? others) => new ScalarShape<string>($"one of {string.Join(", ", choices)}", "string", text =>
        choices.Contains(text) ? (text, null) : (text, $"expected one of {string.Join(", ", choices)}, found '{text}'{NearestWord.Suggest(text, choices, others)}"), choices: choices);

    /// <summary>What of a request is hashed.</summary>
    public static Shape<HashedPart> HashedPart { get; } = new ScalarShape<HashedPart>("client_ip, path, header NAME, cookie NAME or query NAME", "string", ReadHashedPart);

    /// <summary>What keeps a client on its side of a split.</summary>
    public static Shape<HashedPart> SplitPart { get; } = new ScalarShape<HashedPart>("client_ip, cookie NAME or request", "string", text =>
    {
        string[] kinds = ["client_ip", "cookie", "request"];
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts is ["client_ip" or "request"]) return (new HashedPart(parts[0], ""), null);
        if (parts is ["cookie", var name]) return (new HashedPart("cookie", name), ReadCookieName(name).Trouble);
        if (parts is ["cookie", ..]) return (new HashedPart("client_ip", ""), $"expected one name after 'cookie', as in cookie side, found '{text}'");
        return (new HashedPart("client_ip", ""), $"expected client_ip, cookie NAME or request, found '{text}'{(parts.Length == 1 ? NearestWord.Suggest(parts[0], kinds) : "")}");
    });

    public static Shape<string> CookieName { get; } = new ScalarShape<string>("the name of a cookie such as weir_id", "string", ReadCookieName);

    /// <summary>A path as it stands in a cookie's attributes (RFC 6265 §4.1.1).</summary>
    public static Shape<string> CookiePath { get; } = new ScalarShape<string>("a path such as /a", "string", text =>
        text.StartsWith('/') && text.All(c => c is > ' ' and <= '~' and not ';') ? (text, null) : (text, $"expected a path such as /a, without spaces and ';', found '{text}'"), "^/");

    /// <summary>Percent; 0: off.</summary>
    public static Shape<int> BoundedLoad { get; } = new ScalarShape<int>("a percentage from 101% to 1000%, or off", "string", text =>
        text == "off" ? (0, null)
        : text.EndsWith('%') && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent is >= 101 and <= 1_000 ? (percent, null)
        : (0, $"expected a percentage from 101% to 1000%, or off, found '{text}'"));

    /// <summary>Attempts after the first.</summary>
    public static Shape<long> Attempts { get; } = new ScalarShape<long>($"off, or a number from 0 to {Engine.Exchanges.Tried.Most - 1}", "scalar", text => text switch
    {
        "off" => (0, null),
        _ when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n < Engine.Exchanges.Tried.Most => (n, null),
        _ => (0, $"expected off, or a number from 0 to {Engine.Exchanges.Tried.Most - 1}, found '{text}'"),
    });

    public static Shape<string> RetryCondition { get; } = new ScalarShape<string>("connect, reset, timeout, malformed, or a status or a range of them such as 502 or 500-599", "scalar", text =>
    {
        string[] words = ["connect", "reset", "timeout", "malformed"];
        if (words.Contains(text) || (text.Length > 0 && char.IsAsciiDigit(text[0]) && ReadStatusRange(text).Trouble is null)) return (text, null);
        return (text, $"expected connect, reset, timeout, malformed, or a status or a range of them such as 502 or 500-599, found '{text}'{NearestWord.Suggest(text, words)}");
    });

    public static Shape<long> Percent(long least, long most) => new ScalarShape<long>($"a percentage from {least}% to {most}%", "string", text =>
        text.EndsWith('%') && long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent >= least && percent <= most ? (percent, null) : (0, $"expected a percentage from {least}% to {most}%, found '{text}'"));

    /// <summary>A share of requests, in millionths.</summary>
    public static Shape<int> Share { get; } = new ScalarShape<int>("a percentage from 0.0001% to 100%", "string", text =>
        text.EndsWith('%') && decimal.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent) && percent is >= 0.0001m and <= 100
            ? ((int)(percent * 10_000), null)
            : (0, $"expected a percentage from 0.0001% to 100%, found '{text}'"));

    /// <summary>A time, or a percentile.</summary>
    public static Shape<(long Time, int Percentile)> HedgeTime { get; } = new ScalarShape<(long, int)>("a duration such as 200ms, or a percentile such as p95", "string", text =>
        text.StartsWith('p') && int.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent is >= 50 and <= 99 ? ((0, percent), null)
        : ReadDuration(text) is { Trouble: null, Value: > 0 and not NoLimit and var time } ? ((time, 0), null)
        : (default, $"expected a duration such as 200ms, or a percentile from p50 to p99, found '{text}'"));

    /// <summary>A share; off: -1.</summary>
    public static Shape<long> Panic { get; } = new ScalarShape<long>("a percentage from 0% to 100%, or off", "string", text =>
        text == "off" ? (Engine.Upstreams.UpstreamSettings.NoPanic, null)
        : text.EndsWith('%') && long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent <= 100 ? (percent, null)
        : (0, $"expected a percentage from 0% to 100%, or off, found '{text}'"));

    /// <summary>A tier of backups.</summary>
    public static Shape<long> Tier { get; } = new ScalarShape<long>("true, false, or a number from 1 to 9", "scalar", text => text switch
    {
        "true" => (1, null),
        "false" or "0" => (0, null),
        [>= '1' and <= '9'] => (text[0] - '0', null),
        _ => (0, $"expected true, false, or a number from 1 to 9, found '{text}'"),
    });

    public static Shape<List<T>> ListOf<T>(Shape<T> item) => new ListShape<T>(item);

    private static (string Value, string? Trouble) ReadCookieName(string text)
    {
        if (text is "true" or "false" or "on" or "off" or "yes" or "no" or "none") return (text, $"'{text}' would be the cookie's name; write a name such as weir_id, or leave the key out");
        return text.Length <= 64 && Ascii.IsToken(Encoding.UTF8.GetBytes(text)) ? (text, null) : (text, $"expected the name of a cookie such as weir_id, at most 64 characters, found '{text}'");
    }

    private static (IPNetwork Value, string? Trouble) ReadNetwork(string text, string words)
    {
        if (IPNetwork.TryParse(text, out var network)) return (network, null);
        if (IPAddress.TryParse(text, out var ip)) return (new IPNetwork(ip, ip.GetAddressBytes().Length * 8), null);
        return (default, $"expected {words}, found '{text}'{(text.Contains('/', StringComparison.Ordinal) ? " (bits beyond the prefix must be 0)" : "")}");
    }

    private static (HashedPart Value, string? Trouble) ReadHashedPart(string text)
    {
        string[] kinds = ["client_ip", "path", "header", "cookie", "query"];
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var kind = parts.Length == 0 ? "" : parts[0];
        var needsName = kind is "header" or "cookie" or "query";
        if (!kinds.Contains(kind)) return (new HashedPart("client_ip", ""), $"expected client_ip, path, header NAME, cookie NAME or query NAME, found '{text}'{NearestWord.Suggest(kind, kinds)}");
        if (parts.Length != (needsName ? 2 : 1)) return (new HashedPart("client_ip", ""), needsName ? $"expected one name after '{kind}', as in {kind} x-user, found '{text}'" : $"nothing stands after '{kind}', found '{text}'");
        if (kind is "header" or "cookie" && !Ascii.IsToken(Encoding.UTF8.GetBytes(parts[1]))) return (new HashedPart("client_ip", ""), $"'{parts[1]}' cannot be the name of a {kind}");
        return (new HashedPart(kind, needsName ? parts[1] : ""), null);
    }

    private static (long Value, string? Trouble) ReadDuration(string text)
    {
        if (text == "off") return (NoLimit, null);
        foreach (var unit in DurationUnits)
        {
            if (!text.EndsWith(unit, StringComparison.Ordinal) || !decimal.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) continue;
            var factor = unit switch { "ms" => 1, "s" => 1000, "m" => 60_000, "h" => 3_600_000, _ => 86_400_000 };
            if (number > 36_500m * 86_400_000m / factor) return (0, $"'{text}' is longer than a hundred years; write off for no limit");
            return ((long)(number * factor), null);
        }

        return (0, $"expected a duration such as 250ms, 5s, 2h, or off, found '{text}'{(text.All(char.IsAsciiDigit) ? " (a unit is missing)" : "")}");
    }

    private static (long Value, string? Trouble) ReadSize(string text)
    {
        if (text == "off") return (NoLimit, null);
        (string Unit, long Factor)[] units = [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("B", 1), ("", 1)];
        foreach (var (unit, factor) in units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal) && long.TryParse(text[..^unit.Length], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= long.MaxValue / factor) return (number * factor, null);
        }

        var meant = text.Replace("kb", "KiB", StringComparison.OrdinalIgnoreCase).Replace("mb", "MiB", StringComparison.OrdinalIgnoreCase).Replace("gb", "GiB", StringComparison.OrdinalIgnoreCase);
        return (0, $"expected a size such as 64KiB, 10MiB or off, found '{text}'{(meant == text ? "" : $"; did you mean '{meant}'?")}");
    }

    private static (NetworkAddress Value, string? Trouble) ReadAddress(string text)
    {
        const string Words = "expected an address such as :8080, 127.0.0.1:80, [::1]:80 or unix:/path";
        if (text.StartsWith("unix:", StringComparison.Ordinal))
        {
            if (Encoding.UTF8.GetByteCount(text[5..]) is > 0 and <= 107) return (NetworkAddress.FromPath(text[5..]), null);
            return (NetworkAddress.None, "the path of a Unix socket has 1 to 107 bytes");
        }

        if (text.StartsWith(':') && ushort.TryParse(text[1..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)) return (NetworkAddress.FromIp(IPAddress.IPv6Any, port), null);
        if (text.LastIndexOf(':') is > 0 and var colon
            && ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out port)
            && IPAddress.TryParse(text[..colon].Trim('[', ']'), out var ip)) return (NetworkAddress.FromIp(ip, port), null);
        if (ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _)) return (NetworkAddress.None, $"{Words}, found '{text}'; did you mean ':{text}'?");
        return (NetworkAddress.None, $"{Words}, found '{text}'");
    }

    private static (Uri Value, string? Trouble) ReadUrl(string text)
    {
        const string Words = "expected a URL such as http://127.0.0.1:9000, https://app.internal or http://unix:/run/app.sock";
        if (text.IndexOf("://unix:/", StringComparison.Ordinal) is var end && end > 0 && text[..end] is "http" or "https")
        {
            if (!Uri.TryCreate($"{(end == 4 ? Discovery.EndpointUrl.Socket : Discovery.EndpointUrl.TlsSocket)}://localhost{text[(end + 8)..]}", UriKind.Absolute, out var socket)) return (null!, $"{Words}, found '{text}'");
            return Encoding.UTF8.GetByteCount(Uri.UnescapeDataString(socket.AbsolutePath)) <= NetworkAddress.LongestUnixPath ? (socket, null) : (null!, $"the path of a Unix socket has 1 to {NetworkAddress.LongestUnixPath} bytes");
        }

        if (!text.Contains("://", StringComparison.Ordinal)) return (null!, $"{Words}, found '{text}'; did you mean 'http://{text}'?");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url)) return (null!, $"{Words}, found '{text}'");
        if (url.Scheme is not ("http" or "https")) return (null!, $"{Words}, found the scheme '{url.Scheme}'");
        if (url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0) return (null!, "an endpoint's URL has a scheme, a host, perhaps a port and a path, and nothing else");
        return (url, null);
    }

    private static (string Value, string? Trouble) Token(string text, string words) =>
        Ascii.IsToken(Encoding.UTF8.GetBytes(text)) ? (text, null) : (text, $"expected {words}, found '{text}'");

    private static (PathPattern Value, string? Trouble) ReadPath(string text)
    {
        if (!text.StartsWith('/')) return (new PathPattern(text), $"a path begins with '/', found '{text}'; did you mean '/{text}'?");
        if (text.Contains('?', StringComparison.Ordinal)) return (new PathPattern(text), $"a path ends before its '?': '{text[..text.IndexOf('?', StringComparison.Ordinal)]}'; for the query, write match: {{ query: {{ NAME: VALUE }} }}, or rewrite: {{ query: … }}");
        if (text.Contains('#', StringComparison.Ordinal)) return (new PathPattern(text), "what follows '#' is never sent: it cannot be matched");
        var segments = text[1..].Split('/');
        for (var i = 0; i < segments.Length; i++)
        {
            if (segments[i] == "**" && i < segments.Length - 1) return (new PathPattern(text), "'**' stands last in a path");
            if (segments[i].Contains('*', StringComparison.Ordinal) && segments[i] is not ("*" or "**")) return (new PathPattern(text), $"'*' is a whole segment; '{segments[i]}' would need path: {{ regex: … }}");
            if (segments[i] is "." or "..") return (new PathPattern(text), "'.' and '..' are resolved before paths are matched: they never match");
        }

        return (new PathPattern(text), null);
    }

    private static (Regex Value, string? Trouble) ReadPattern(string text, bool whole)
    {
        const RegexOptions Options = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;
        try
        {
            var regex = new Regex(text, Options); // By itself first: what is wrong has its own place, and ")|(" cannot leave what is put around it.
            return (whole ? new Regex($"^(?:{text})\\z", Options) : regex, null);
        }
        catch (RegexParseException e)
        {
            return (null!, $"this expression is not valid at character {Math.Max(1, e.Offset)}: {Words(e.Error)}");
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return (null!, "this expression cannot be used: lookaround, backreferences, atomic groups and conditions are not available, and its size has a limit");
        }
    }

    private static string Words(RegexParseError error) => error switch
    {
        RegexParseError.InsufficientClosingParentheses => "a '(' is not closed",
        RegexParseError.InsufficientOpeningParentheses => "a ')' closes nothing",
        RegexParseError.UnterminatedBracket => "a '[' is not closed",
        RegexParseError.QuantifierAfterNothing => "nothing stands before what repeats it",
        RegexParseError.NestedQuantifiersNotParenthesized => "what repeats is repeated: put it in parentheses",
        RegexParseError.ReversedCharacterRange or RegexParseError.ReversedQuantifierRange => "a range ends before it begins",
        RegexParseError.UnescapedEndingBackslash => "it ends with a '\\'",
        RegexParseError.UnrecognizedEscape => "there is no such escape",
        RegexParseError.UndefinedNumberedReference or RegexParseError.UndefinedNamedReference => "there is no such group, and backreferences are not available",
        RegexParseError.InvalidGroupingConstruct or RegexParseError.CaptureGroupNameInvalid => "this is no group: groups are (…), (?:…) and (?<name>…)",
        _ => "it cannot be read from there",
    };
}

/// <summary>What of a request is hashed, and the name of the field, cookie or parameter.</summary>
public sealed record HashedPart(string Kind, string Name)
{
    public override string ToString() => Name.Length == 0 ? Kind : $"{Kind} {Name}";
}

/// <summary>A status, or a range of them, ends included.</summary>
public readonly record struct StatusRange(int First, int Last);

/// <summary>A path with "*" and "**".</summary>
public sealed record PathPattern(string Text);
