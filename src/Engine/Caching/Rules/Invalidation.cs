// What an unsafe method makes of stored responses: those of its target, and of what Location and Content-Location name, are
// invalid once it succeeded, but never another origin's. RFC 9111 §4.4.

using Weir.Wire.Bytes;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

namespace Weir.Engine.Caching.Rules;

/// <summary>What a reference is resolved against: the request's target as its client names it.</summary>
/// <param name="isSecure">Whether its scheme is https.</param>
/// <param name="host">Its host, lower case.</param>
/// <param name="port">Its port; 0: the scheme's own.</param>
/// <param name="path">Its path.</param>
public readonly ref struct TargetBase(bool isSecure, ReadOnlySpan<byte> host, int port, ReadOnlySpan<byte> path)
{
    public bool IsSecure { get; } = isSecure;

    public ReadOnlySpan<byte> Host { get; } = host;

    public int Port { get; } = port != 0 ? port : isSecure ? 443 : 80;

    public ReadOnlySpan<byte> Path { get; } = path;
}

/// <summary>Decides about invalidation.</summary>
public static class Invalidation
{
    /// <summary>Whether a response to this method invalidates: the method is not known to be safe, and it was no error.</summary>
    public static bool Applies(KnownMethod method, ReadOnlySpan<byte> name, int status) => status is >= 200 and < 400 && !IsSafe(method, name);

    /// <summary>Whether a method is known to change nothing.</summary>
    public static bool IsSafe(KnownMethod method, ReadOnlySpan<byte> name) => method switch
    {
        KnownMethod.Get or KnownMethod.Head or KnownMethod.Options or KnownMethod.Trace => true,

        // Registered as safe (RFC 9110 §16.1.1).
        KnownMethod.Other => name.SequenceEqual("PROPFIND"u8) || name.SequenceEqual("REPORT"u8) || name.SequenceEqual("SEARCH"u8) || name.SequenceEqual("QUERY"u8),
        _ => false,
    };

    /// <summary>
    /// Resolves a URI reference (RFC 3986 §5.2) where it names the same origin: path with dot segments resolved, then the query,
    /// if any, with its '?'.
    /// </summary>
    /// <param name="target">The request's target.</param>
    /// <param name="reference">The value of Location or Content-Location.</param>
    /// <param name="into">At least as long as the target's path and the reference together, and one more.</param>
    /// <param name="pathLength">Bytes of the path.</param>
    /// <param name="length">Bytes of both.</param>
    /// <returns>False for another origin, another scheme, and what is no reference.</returns>
    public static bool TryResolve(in TargetBase target, ReadOnlySpan<byte> reference, Span<byte> into, out int pathLength, out int length)
    {
        pathLength = length = 0;
        if (reference.IsEmpty || reference.IndexOfAnyInRange((byte)0, (byte)' ') >= 0 || reference.IndexOfAny((byte)0x7F, (byte)'\\') >= 0) return false;
        var fragment = reference.IndexOf((byte)'#');
        if (fragment >= 0) reference = reference[..fragment];
        if (!TrySkipOrigin(target, ref reference, out var isAbsolute)) return false;
        var question = reference.IndexOf((byte)'?');
        var path = question < 0 ? reference : reference[..question];
        if (path.IsEmpty)
        {
            pathLength = TargetPath.Resolve(isAbsolute || target.Path.IsEmpty ? "/"u8 : target.Path, into);
        }
        else if (path[0] == '/')
        {
            pathLength = TargetPath.Resolve(path, into);
        }
        else
        {
            pathLength = Merge(target.Path, path, into);
        }

        length = pathLength;
        if (question < 0) return true;
        reference[question..].CopyTo(into[length..]);
        length += reference.Length - question;
        return true;
    }

    // Takes scheme and authority away, if they are there and the target's own.
    private static bool TrySkipOrigin(in TargetBase target, ref ReadOnlySpan<byte> reference, out bool isAbsolute)
    {
        isAbsolute = false;
        var delimiter = reference.IndexOfAny(":/?"u8);
        if (delimiter >= 0 && reference[delimiter] == ':')
        {
            if (!Ascii.EqualsIgnoreCase(reference[..delimiter], target.IsSecure ? "https"u8 : "http"u8)) return false;
            reference = reference[(delimiter + 1)..];
            if (!reference.StartsWith("//"u8)) return false;
        }

        if (!reference.StartsWith("//"u8)) return true;
        reference = reference[2..];
        isAbsolute = true;
        var end = reference.IndexOfAny((byte)'/', (byte)'?');
        var authority = end < 0 ? reference : reference[..end];
        reference = end < 0 ? default : reference[end..];
        if (!HostName.TrySplit(authority, out var hostLength, out var port)) return false;
        if (port == 0) port = target.IsSecure ? 443 : 80;
        var host = authority[..hostLength];
        if (host.Length > 1 && host[^1] == '.') host = host[..^1];
        return port == target.Port && Ascii.EqualsIgnoreCase(host, target.Host);
    }

    // RFC 3986 §5.2.3: behind the last '/' of the target's path.
    private static int Merge(ReadOnlySpan<byte> from, ReadOnlySpan<byte> path, Span<byte> into)
    {
        var kept = from[..(from.LastIndexOf((byte)'/') + 1)];
        if (kept.IsEmpty) kept = "/"u8;
        var size = kept.Length + path.Length;
        Span<byte> whole = size <= 1024 ? stackalloc byte[size] : new byte[size];
        kept.CopyTo(whole);
        path.CopyTo(whole[kept.Length..]);
        return TargetPath.Resolve(whole, into);
    }
}
