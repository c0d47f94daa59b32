// Which worlds speak TLS, and how their engines are: a share of the seeds that has nothing to do with what else they decide.

using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

internal static class Whims
{
    /// <summary>Nothing that breaks anything.</summary>
    public static TlsWhims? Calm(int seed) => seed % 11 < 4 ? Make(seed) : null;

    /// <summary>The same, towards origins.</summary>
    public static TlsWhims? CalmOrigin(int seed) => seed % 13 < 5 ? Make(seed + 1) : null;

    /// <summary>Anything.</summary>
    public static TlsWhims? Bad(int seed) => Worse(Calm(seed));

    public static TlsWhims? BadOrigin(int seed) => Worse(CalmOrigin(seed));

    private static TlsWhims? Worse(TlsWhims? calm) => calm is null ? null : calm with { Refuses = 0.02, Alerts = 0.003, ForgetsEnd = 0.1, CutsRecord = 0.1 };

    private static TlsWhims Make(int seed) => new()
    {
        AsksAgain = 0.2,
        Suspends = 0.2,
        Tickets = 0.3,
        NeedsAnswer = seed % 2 == 0 ? 0.03 : 0,
        SplitsRecords = seed % 5 < 3 ? 0.2 : 0,
        ReadsAhead = seed % 3 != 0,
    };
}
