// How an upstream's endpoints are asked whether they are well, as the operator wants it. Who asks is control's.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Upstreams;

/// <summary>An active check. Immutable; its identity says whether it is still the same.</summary>
public sealed record ActiveCheck
{
    /// <summary>Bytes at the beginning of a body in which <see cref="Body"/> must stand.</summary>
    public const int MostBody = 64 << 10;

    /// <summary>A connection is enough; nothing is asked.</summary>
    public bool IsTcp { get; init; }

    public string Method { get; init; } = "GET";

    /// <summary>The path, without a query.</summary>
    public string Path { get; init; } = "/";

    /// <summary>The query without its '?'; null: none.</summary>
    public string? Query { get; init; }

    /// <summary>Further fields of the request.</summary>
    public (string Name, string Value)[] Fields { get; init; } = [];

    /// <summary>The Host that is sent; null: the endpoint's own.</summary>
    public string? Host { get; init; }

    /// <summary>The port that is asked; 0: the endpoint's own.</summary>
    public int Port { get; init; }

    /// <summary>From the beginning of a check to that of the next, in ms.</summary>
    public long Interval { get; init; } = 5_000;

    /// <summary>How much longer or shorter each interval may be, as a share of it.</summary>
    public double Jitter { get; init; } = 0.1;

    /// <summary>What a check may take, for each address that is tried, in ms.</summary>
    public long Timeout { get; init; } = 2_000;

    /// <summary>So many checks in a row that pass make an endpoint healthy again.</summary>
    public int Rise { get; init; } = 2;

    /// <summary>So many checks in a row that fail make an endpoint unhealthy.</summary>
    public int Fall { get; init; } = 3;

    /// <summary>Statuses that pass.</summary>
    public (int First, int Last)[] Expect { get; init; } = [(200, 399)];

    /// <summary>What the body must contain; null: anything.</summary>
    public byte[]? Body { get; init; }

    /// <summary>Whether an answer with this status passes.</summary>
    public bool Expects(int status) => Array.Exists(Expect, range => status >= range.First && status <= range.Last);

    /// <summary>What is asked, for people.</summary>
    public string Question => IsTcp ? "a connection" : $"{Method} {Path}{(Query is null ? "" : "?" + Query)}";

    /// <summary>From the beginning of a check to that of the next, with its chance in it.</summary>
    public long Period(Random chance) => Timeouts.After(0, (long)(Interval * (1 + (Jitter * ((2 * chance.NextDouble()) - 1)))));
}
