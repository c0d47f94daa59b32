// Which worlds speak TLS, and how their engines are: a share of the seeds that has nothing to do with what else they decide.

using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

internal static class Whims
{
    /// <summary>Nothing that breaks anything.</summary>
    public static TlsWhims? Calm(int seed) => seed % 11 >= 4 ? null : new TlsWhims
    {
        AsksAgain = 0.2,
        Suspends = 0.2,
        Tickets = 0.3,
        NeedsAnswer = seed % 2 == 0 ? 0.03 : 0,
        SplitsRecords = seed % 5 < 3 ? 0.2 : 0,
        ReadsAhead = seed % 3 != 0,
    };

    /// <summary>Anything.</summary>
    public static TlsWhims? Bad(int seed) => Calm(seed) is { } calm ? calm with { Refuses = 0.02, Alerts = 0.003, ForgetsEnd = 0.1, CutsRecord = 0.1 } : null;
}
