// How an exchange ended, in two letters: who ended it, and in which phase. "--" is a good end. A lower-case first letter
// means that a time ran out.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Observe;

/// <summary>The two letters of an ending.</summary>
public readonly record struct Ending(char Who, char When)
{
    /// <summary>Who: letter and meaning, for the reference.</summary>
    public static readonly (char Letter, string Meaning)[] Parties =
    [
        ('-', "nobody: the exchange is whole"),
        ('C', "the client left, or sent something that was refused"),
        ('c', "the client's time ran out, or it was too slow"),
        ('O', "the origin refused, broke off, or sent something that was refused"),
        ('o', "the origin's time ran out"),
        ('P', "the proxy itself: nobody to forward to, a queue that is full, out of resources, stopping, or a mistake of ours"),
        ('p', "the proxy itself: the time in a queue ran out"),
    ];

    /// <summary>When: letter and meaning, for the reference.</summary>
    public static readonly (char Letter, string Meaning)[] Phases =
    [
        ('-', "at its end"),
        ('H', "while the request's head was received"),
        ('R', "while it was routed, or a policy looked at it"),
        ('Q', "while it waited in its upstream's queue"),
        ('C', "while a connection to the origin was found or made"),
        ('S', "while the request was sent on"),
        ('W', "while the response's head was awaited"),
        ('D', "while the response was passed on"),
        ('T', "within a tunnel"),
    ];

    public static Ending Of(Fault fault)
    {
        if (fault.IsNone) return new Ending('-', '-');
        var timedOut = fault.Cause is FaultCause.Timeout or FaultCause.TooSlow or FaultCause.ConnectTimeout or FaultCause.QueueTimeout;
        var who = fault.Side switch
        {
            Side.Client => timedOut ? 'c' : 'C',
            Side.Origin => timedOut ? 'o' : 'O',
            _ => timedOut ? 'p' : 'P',
        };
        return new Ending(who, fault.Stage switch
        {
            Stage.Head => 'H',
            Stage.Policy => 'R',
            Stage.Queue => 'Q',
            Stage.Connect => 'C',
            Stage.Send => 'S',
            Stage.Wait => 'W',
            Stage.Relay => 'D',
            _ => 'T',
        });
    }

    public override string ToString() => $"{Who}{When}";
}
