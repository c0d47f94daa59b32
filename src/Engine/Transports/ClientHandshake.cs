// Agreeing with an origin on encryption, over a connection that has just been made. Whoever waits says for how long, and what
// ends the wait; a connection on which nothing was agreed is closed here.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>How a handshake ended.</summary>
/// <param name="Transport">What to speak over; null: nothing was agreed.</param>
/// <param name="Wake">Other than First: what came before its end.</param>
/// <param name="Trouble">Why it failed.</param>
/// <param name="Text">The same in words.</param>
public readonly record struct Agreed(Transport? Transport, Wake Wake, TlsTrouble Trouble = TlsTrouble.None, string Text = "");

/// <summary>The client's side of handshakes.</summary>
public static class ClientHandshake
{
    /// <summary>Brings a handshake to its end.</summary>
    /// <param name="engine">Its side; null: none could be made.</param>
    /// <param name="transport">What it speaks over.</param>
    /// <param name="flow">Where it is waited.</param>
    /// <param name="gone">What ends the attempt; null: nothing.</param>
    /// <param name="deadline">When it must have ended.</param>
    public static async LoopTask<Agreed> RunAsync(TlsEngine? engine, Transport transport, Waiter flow, Signal? gone, long deadline)
    {
        if (engine is null) return Failed(null, transport, TlsTrouble.Protocol, "its name cannot be verified, or files of its upstream cannot be read");
        while (true)
        {
            Signal signal;
            switch (engine.Handshake())
            {
                case TlsStatus.Done:
                    return new Agreed(new TlsTransport(transport, engine), Wake.First);
                case TlsStatus.WantRead:
                    signal = transport.Readable;
                    break;
                case TlsStatus.WantWrite:
                    signal = transport.Writable;
                    break;
                case TlsStatus.Suspended:
                    signal = engine.Resumed;
                    break;
                default:
                    return Failed(engine, transport, engine.Trouble, engine.TroubleText);
            }

            var wake = gone is not null ? await flow.FirstOf(signal, gone, deadline) : await flow.FirstOf(signal, deadline);
            if (ReferenceEquals(signal, engine.Resumed)) engine.Resumed.Clear();
            if (wake == Wake.First) continue;
            engine.Free();
            transport.Close(reset: true);
            return new Agreed(null, wake, TlsTrouble.Timeout, "it took too long");
        }
    }

    // The origin is told why, where the engine has said so.
    private static Agreed Failed(TlsEngine? engine, Transport transport, TlsTrouble trouble, string text)
    {
        engine?.Free();
        transport.Close();
        return new Agreed(null, Wake.First, trouble, text);
    }
}
