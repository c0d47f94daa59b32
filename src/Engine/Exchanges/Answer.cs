// What answers a request instead of an origin: a fixed answer, a redirect, a file, a fault's page. An answer prepares the
// exchange's response and body source; the pipeline then treats both as it treats an origin's.

using Weir.Engine.Loops;

namespace Weir.Engine.Exchanges;

/// <summary>Prepares a response of our own. Shared by all loops: holds no state of an exchange.</summary>
public abstract class Answer
{
    /// <summary>
    /// Fills <see cref="Exchange.Response"/> and, where there is a body, <see cref="Exchange.ResponseSource"/>.
    /// Completes at once except where a disk is asked.
    /// </summary>
    /// <returns>A fault where no answer can be made, such as a file that cannot be read.</returns>
    public abstract LoopTask<Fault> PrepareAsync(Exchange exchange);
}
