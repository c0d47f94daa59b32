// What is to be downloaded, and how: of a command line, checked.

namespace Weir.Control.Downloads;

/// <summary>A download.</summary>
public sealed record DownloadPlan
{
    /// <summary>Where it is asked for: http or https, without user and fragment.</summary>
    public required Uri Url { get; init; }

    /// <summary>Further servers that have the same bytes.</summary>
    public IReadOnlyList<Uri> Mirrors { get; init; } = [];

    /// <summary>Fields of each request.</summary>
    public IReadOnlyList<(string Name, string Value)> Fields { get; init; } = [];

    /// <summary>Connections at once; 1: only one.</summary>
    public int Segments { get; init; } = 8;

    /// <summary>The most bytes of a part, as the configuration has it; null: its default.</summary>
    public string? SegmentSize { get; init; }

    /// <summary>Bytes a second at most; 0: no limit.</summary>
    public long Rate { get; init; }

    /// <summary>How often in a row it is tried again where nothing came.</summary>
    public int Retries { get; init; } = 5;

    /// <summary>The SHA-256 that it must have; null: any.</summary>
    public byte[]? Checksum { get; init; }
}

/// <summary>What became of it.</summary>
public sealed record DownloadReport
{
    /// <summary>Why there is no whole and right file; null: there is.</summary>
    public string? Trouble { get; init; }

    /// <summary>Where it came from in the end.</summary>
    public required Uri From { get; init; }

    /// <summary>Bytes of the file, those included that were there already.</summary>
    public long Bytes { get; init; }

    /// <summary>Bytes that were there already.</summary>
    public long Had { get; init; }

    /// <summary>Of what has come; empty where it is not whole.</summary>
    public byte[] Sha256 { get; init; } = [];

    /// <summary>What was compared: length, repr-digest, checksum.</summary>
    public IReadOnlyList<string> Verified { get; init; } = [];

    public TimeSpan Time { get; init; }

    /// <summary>Bytes a second of what came now.</summary>
    public double Rate => Time.TotalSeconds > 0 ? (Bytes - Had) / Time.TotalSeconds : 0;

    /// <summary>The most connections at once.</summary>
    public int Connections { get; init; } = 1;

    /// <summary>How many times as fast it was as one connection alone; 0: not known.</summary>
    public double Gain { get; init; }

    /// <summary>What each server brought.</summary>
    public IReadOnlyList<(string Endpoint, long Bytes, bool IsDropped)> Sources { get; init; } = [];
}
