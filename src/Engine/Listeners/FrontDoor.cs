// Between accepting a connection and serving it: where its listener speaks TLS, the handshake. Nothing is made for a client that
// has sent nothing yet. At the limit whoever has been at it the longest makes room: a client that means it is done in a few
// round trips, one that holds on to half a handshake is not.

using System.Net;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Engine.Listeners;

/// <summary>Lets connections of one listener in, on one loop.</summary>
public sealed class FrontDoor(ServerHost host, HandshakeCounts counts, ErrorLog errors, string listener)
{
    // While its listener ends, in ms: who shakes hands has asked nothing yet.
    private const int LastPatience = 1_000;

    private Handshake? oldest;
    private Handshake? newest;
    private bool isEnding;
    private bool isStopped;

    /// <summary>The listener's TLS; null: it speaks none. Swapped by a new plan.</summary>
    public TlsServer? Tls { get; set; }

    /// <summary>Handshakes under way. Readable from any thread.</summary>
    public int Count { get; private set; }

    /// <summary>Called when a handshake begins.</summary>
    public Action? OnBegun { get; set; }

    /// <summary>Called when a handshake has ended: with whether its connection is served, and what it was counted under.</summary>
    public Action<bool, IPAddress?>? OnEnded { get; set; }

    /// <summary>Called when a connection was closed whose client had too many handshakes under way, or that came after the end.</summary>
    public Action<IPAddress?>? OnRefused { get; set; }

    /// <summary>Takes a connection.</summary>
    /// <param name="transport">As it was accepted.</param>
    /// <param name="counted">The client's address if it was counted under it.</param>
    public void Take(Transport transport, IPAddress? counted)
    {
        if (Tls is not { } tls)
        {
            host.Serve(transport, counted);
        }
        else if (!isStopped && counts.TryEnter(transport.Remote.Ip, out var client))
        {
            if (counts.AreTooMany) Displace();
            var patience = isEnding ? Math.Min(tls.HandshakeTimeout, LastPatience) : tls.HandshakeTimeout;
            ShakeAsync(new Handshake(transport, counted, client) { Deadline = Timeouts.After(transport.Loop.Now, patience) }, tls).Detach();
        }
        else
        {
            transport.Close(reset: true);
            OnRefused?.Invoke(counted);
        }
    }

    /// <summary>Its listener ends: handshakes under way, and those that still begin, have little time.</summary>
    public void End()
    {
        isEnding = true;
        for (var next = oldest; next is not null;)
        {
            var newer = next.Newer;
            next.Deadline = Math.Min(next.Deadline, next.Transport.Loop.Now + LastPatience);
            next.Waiter.Cancel();
            next = newer;
        }
    }

    /// <summary>Ends the handshakes under way, and begins no more.</summary>
    public void Stop()
    {
        isStopped = true;
        while (oldest is { } next) next.Waiter.Cancel();
    }

    private async LoopTask ShakeAsync(Handshake handshake, TlsServer tls)
    {
        Enter(handshake);
        var transport = handshake.Transport;
        var outcome = HandshakeOutcome.Protocol;
        try
        {
            var trouble = await AgreeAsync(handshake, tls);
            outcome = OutcomeOf(handshake, trouble);
            Tell(handshake, trouble);
            if (trouble == TlsTrouble.PlainHttp) await AnswerPlainAsync(handshake);
        }
#pragma warning disable CA1031 // The outermost loop of a handshake: a bug ends this connection, is told, and harms no other.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            errors.Error("tls", $"{listener}: a mistake of ours ended a handshake: {bug}");
        }

        handshake.Waiter.Release();
        Leave(handshake);
        counts.Leave(handshake.Client, outcome);
        var served = outcome is HandshakeOutcome.Full or HandshakeOutcome.Resumed && !handshake.Engine!.EndsAfterHandshake;
        if (served) host.Serve(new TlsTransport(transport, handshake.Engine!), handshake.Counted);
        OnEnded?.Invoke(served, handshake.Counted);
        if (served) return;
        if (outcome is HandshakeOutcome.Full or HandshakeOutcome.Resumed) handshake.Engine!.SendEnd();
        handshake.Engine?.Free();
        transport.Close();
    }

    private static HandshakeOutcome OutcomeOf(Handshake handshake, TlsTrouble trouble) => trouble switch
    {
        TlsTrouble.None => handshake.Engine!.Facts.IsResumed ? HandshakeOutcome.Resumed : HandshakeOutcome.Full,
        TlsTrouble.Broken => HandshakeOutcome.Left,
        TlsTrouble.Timeout => handshake.IsDisplaced ? HandshakeOutcome.Displaced : HandshakeOutcome.Timeout,
        TlsTrouble.PlainHttp => HandshakeOutcome.PlainHttp,
        TlsTrouble.UnknownName => HandshakeOutcome.UnknownName,
        TlsTrouble.Certificate => HandshakeOutcome.Certificate,
        _ => HandshakeOutcome.Protocol,
    };

    // Clients fail for reasons of their own all day: what is worth knowing of one is known at level debug.
    private void Tell(Handshake handshake, TlsTrouble trouble)
    {
        if (trouble is TlsTrouble.None or TlsTrouble.Broken or TlsTrouble.Timeout || errors.Level > LogLevel.Debug) return;
        errors.Write(LogLevel.Debug, "tls", $"{listener}: {handshake.Transport.Remote}: no handshake: {handshake.Engine!.TroubleText}");
    }

    // Only one of this loop's: the next makes room at the same time.
    private void Displace()
    {
        if (oldest is not { } longest) return;
        longest.IsDisplaced = true;
        longest.Waiter.Cancel();
    }

    private async LoopTask<TlsTrouble> AgreeAsync(Handshake handshake, TlsServer tls)
    {
        var transport = handshake.Transport;
        var wake = await WaitAsync(handshake, transport.Readable, transport.Gone);
        if (wake != Wake.First) return wake == Wake.Second ? TlsTrouble.Broken : TlsTrouble.Timeout;
        var engine = handshake.Engine = tls.Accept(transport);
        while (true)
        {
            switch (engine.Handshake())
            {
                case TlsStatus.Done:
                    return TlsTrouble.None;
                case TlsStatus.WantRead:
                    wake = await WaitAsync(handshake, transport.Readable);
                    break;
                case TlsStatus.WantWrite:
                    wake = await WaitAsync(handshake, transport.Writable);
                    break;
                case TlsStatus.Suspended:
                    wake = await WaitAsync(handshake, engine.Resumed, transport.Gone);
                    if (wake == Wake.Second) return TlsTrouble.Broken; // For nobody a certificate is waited for.
                    engine.Resumed.Clear();
                    break;
                default:
                    return engine.Trouble == TlsTrouble.None ? TlsTrouble.Broken : engine.Trouble;
            }

            if (wake != Wake.First) return TlsTrouble.Timeout;
        }
    }

    // Whose deadline has come nearer waits on, for less.
    private async LoopTask<Wake> WaitAsync(Handshake handshake, Signal first, Signal? second = null)
    {
        while (true)
        {
            var wake = second is null ? await handshake.Waiter.FirstOf(first, handshake.Deadline) : await handshake.Waiter.FirstOf(first, second, handshake.Deadline);
            if (wake != Wake.Cancelled || handshake.IsDisplaced || isStopped) return wake;
        }
    }

    // To who spoke plain HTTP, in plain HTTP.
    private static async LoopTask AnswerPlainAsync(Handshake handshake)
    {
        const int Patience = 1_000;
        var transport = handshake.Transport;
        _ = transport.TryWrite("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 52\r\nConnection: close\r\n\r\nThis port speaks HTTPS: plain HTTP was sent to it.\n\n"u8);
        transport.ShutdownWrite();
        var deadline = transport.Loop.Now + Patience;
        while (ReadAway(transport) && await handshake.Waiter.FirstOf(transport.Readable, deadline) == Wake.First)
        {
        }
    }

    private static bool ReadAway(Transport transport)
    {
        const int Most = 16;
        Span<byte> nowhere = stackalloc byte[4096];
        for (var i = 0; i < Most; i++)
        {
            var got = transport.TryRead(nowhere);
            if (got.Status == IoStatus.WouldBlock) return true;
            if (got.Status != IoStatus.Some) return false;
        }

        return false;
    }

    private void Enter(Handshake handshake)
    {
        handshake.Older = newest;
        if (newest is null) oldest = handshake;
        else newest.Newer = handshake;
        newest = handshake;
        Count++;
        OnBegun?.Invoke();
    }

    private void Leave(Handshake handshake)
    {
        if (handshake.Older is null) oldest = handshake.Newer;
        else handshake.Older.Newer = handshake.Newer;
        if (handshake.Newer is null) newest = handshake.Older;
        else handshake.Newer.Older = handshake.Older;
        Count--;
    }

    private sealed class Handshake(Transport transport, IPAddress? counted, IPAddress? client)
    {
        public Transport Transport { get; } = transport;

        /// <summary>What its handshake is counted under.</summary>
        public IPAddress? Client { get; } = client;

        /// <summary>On the loop's clock, in ms.</summary>
        public long Deadline { get; set; }

        public bool IsDisplaced { get; set; }

        public IPAddress? Counted { get; } = counted;

        public Waiter Waiter { get; } = new(transport.Loop);

        public TlsEngine? Engine { get; set; }

        public Handshake? Older { get; set; }

        public Handshake? Newer { get; set; }
    }
}
