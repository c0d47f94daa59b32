// Handshakes over all loops and listeners: how many are under way, of whom, and how they ended. Any thread.

using System.Net;

namespace Weir.Engine.Listeners;

/// <summary>How a client's handshake ended.</summary>
public enum HandshakeOutcome
{
    Full,
    Resumed,

    /// <summary>The client left in the midst, or before it had said anything.</summary>
    Left,
    Timeout,

    /// <summary>It made room for others.</summary>
    Displaced,

    /// <summary>Its client had too many under way.</summary>
    Refused,

    /// <summary>Plain HTTP was spoken.</summary>
    PlainHttp,

    /// <summary>No certificate for the name that was asked for.</summary>
    UnknownName,

    /// <summary>The client's certificate was missing or not accepted.</summary>
    Certificate,

    /// <summary>Nothing that both speak, a broken message, an alert.</summary>
    Protocol,
}

/// <summary>Counts and bounds handshakes.</summary>
public sealed class HandshakeCounts
{
    private readonly ClientCounts perClient = new();
    private readonly long[] outcomes = new long[Words.Length];
    private int active;

    /// <summary>The outcomes in an operator's words, in the order of <see cref="HandshakeOutcome"/>.</summary>
    public static string[] Words { get; } = ["full", "resumed", "left", "timeout", "displaced", "refused", "plain_http", "unknown_name", "certificate", "protocol"];

    /// <summary>Handshakes at once.</summary>
    public int Most { get; set; } = int.MaxValue;

    /// <summary>Handshakes at once with one client; 0: no limit.</summary>
    public int MostPerClient { get; set; }

    public int Active => Volatile.Read(ref active);

    /// <summary>Whether a further one is one too many.</summary>
    public bool AreTooMany => Active > Most;

    public long Total(HandshakeOutcome outcome) => Volatile.Read(ref outcomes[(int)outcome]);

    /// <summary>A handshake begins, unless its client has too many under way.</summary>
    /// <param name="client">Its address; null: it is not counted under one.</param>
    /// <param name="counted">What <see cref="Leave"/> is to be told.</param>
    internal bool TryEnter(IPAddress? client, out IPAddress? counted)
    {
        if (!perClient.TryEnter(client, MostPerClient, out counted))
        {
            Interlocked.Increment(ref outcomes[(int)HandshakeOutcome.Refused]);
            return false;
        }

        Interlocked.Increment(ref active);
        return true;
    }

    internal void Leave(IPAddress? counted, HandshakeOutcome outcome)
    {
        Interlocked.Decrement(ref active);
        Interlocked.Increment(ref outcomes[(int)outcome]);
        perClient.Leave(counted);
    }
}
