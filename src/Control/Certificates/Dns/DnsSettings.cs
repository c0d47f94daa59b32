// How TXT records come into the DNS: by a command, or by updates (RFC 2136).

using System.Net;

namespace Weir.Control.Certificates.Dns;

/// <summary>How dns-01 is shown. Immutable; one of hook and update is there.</summary>
public sealed record DnsSettings
{
    /// <summary>A command that is called with present or cleanup, the record's name, and its value.</summary>
    public string? Hook { get; init; }

    /// <summary>How long the command may take.</summary>
    public TimeSpan HookTime { get; init; } = TimeSpan.FromMinutes(2);

    public UpdateSettings? Update { get; init; }

    /// <summary>How long it is waited for the record to be seen; none: it is not looked for.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromMinutes(2);
}

/// <summary>Where updates go, and how they are signed.</summary>
/// <param name="Server">The zone's primary server.</param>
/// <param name="KeyName">The key, as the server calls it.</param>
/// <param name="Secret">The key, in base64.</param>
/// <param name="Zone">The zone; null: the server is asked for it.</param>
/// <param name="Ttl">How long others may keep the record, in seconds.</param>
public sealed record UpdateSettings(IPEndPoint Server, string KeyName, string Secret, string? Zone = null, int Ttl = 60);
