// TLS in a simulated world: who makes engines for either side, and how nasty they are. What OpenSSL may do at any point these
// do by the world's seed.

namespace Weir.Engine.Transports.Simulation;

/// <summary>What engines do besides what they are asked for. Chances, from 0 to 1.</summary>
public sealed record TlsWhims
{
    /// <summary>A handshake takes another round trip.</summary>
    public double AsksAgain { get; init; }

    /// <summary>A server's handshake waits for something of ours.</summary>
    public double Suspends { get; init; }

    /// <summary>For how long, in ms, at most.</summary>
    public int MostSuspended { get; init; } = 500;

    /// <summary>A server refuses a handshake: it has no certificate for that name.</summary>
    public double Refuses { get; init; }

    /// <summary>A message without data goes before a record, and, once a handshake is done, to a client that is idle.</summary>
    public double Tickets { get; init; }

    /// <summary>A write needs the peer's word first: it wants to read, and the peer's read wants to write.</summary>
    public double NeedsAnswer { get; init; }

    /// <summary>A piece leaves in several records.</summary>
    public double SplitsRecords { get; init; }

    /// <summary>A write ends the connection with an alert.</summary>
    public double Alerts { get; init; }

    /// <summary>An end is not told, as by a program that just closes.</summary>
    public double ForgetsEnd { get; init; }

    /// <summary>Instead of an end half a record comes.</summary>
    public double CutsRecord { get; init; }

    /// <summary>Whether an engine reads as much as there is, or each record's head and bytes by themselves.</summary>
    public bool ReadsAhead { get; init; } = true;
}

/// <summary>What was made in one world.</summary>
public sealed class TlsLedger(SimulatedWorld world, TlsWhims whims)
{
    public SimulatedWorld World => world;

    public TlsWhims Whims { get; set; } = whims;

    /// <summary>Engines made.</summary>
    public int Made { get; internal set; }

    /// <summary>Engines that are not freed.</summary>
    public int Live { get; internal set; }

    /// <summary>Handshakes suspended now.</summary>
    public int Suspended { get; internal set; }

    /// <summary>Alerts sent, and ends that were not told or cut: connections that are broken by a whim.</summary>
    public int Broken { get; internal set; }
}

/// <summary>The stand-in for a listener's TLS.</summary>
public sealed class SimulatedTlsServer(TlsLedger ledger) : TlsServer
{
    public TlsLedger Ledger => ledger;

    public override TlsEngine Accept(Transport over) => new SimulatedTlsEngine(ledger, over, null);
}

/// <summary>The stand-in for TLS towards a server.</summary>
public sealed class SimulatedTlsClient(TlsLedger ledger, string name = "h") : TlsClient
{
    public TlsLedger Ledger => ledger;

    public override TlsEngine Connect(Transport over) => new SimulatedTlsEngine(ledger, over, name);
}
