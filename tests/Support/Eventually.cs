// Waiting for what must come, without guessing how long it takes.

using System.Diagnostics;

namespace Weir.Tests.Support;

/// <summary>Looks again and again until something holds, or throws.</summary>
public static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <param name="holds">What must come to be.</param>
    /// <param name="otherwise">What to tell when it does not.</param>
    public static void Holds(Func<bool> holds, Func<string> otherwise)
    {
        var since = Stopwatch.StartNew();
        while (!holds())
        {
            if (since.Elapsed > Patience) throw new TimeoutException(otherwise());
            Thread.Sleep(20);
        }
    }
}
