// What came of one check. What is our own trouble says nothing about the endpoint.

namespace Weir.Control.Health;

/// <summary>How a check ended.</summary>
public enum CheckOutcome : byte
{
    Passed,

    /// <summary>No connection could be made.</summary>
    Refused,

    /// <summary>No connection, or no answer, in time.</summary>
    Timeout,

    /// <summary>The connection broke, or what came is no HTTP.</summary>
    Broken,

    /// <summary>Another status than those expected.</summary>
    Status,

    /// <summary>The body does not contain what it must.</summary>
    Body,

    /// <summary>We had run out of something, or were told to stop: no verdict.</summary>
    None,
}

/// <summary>A check's outcome, and its reason for people.</summary>
public readonly record struct CheckResult(CheckOutcome Outcome, string Reason)
{
    /// <summary>Outcomes, as metrics and the status name them; by number.</summary>
    public static readonly string[] Names = ["passed", "refused", "timeout", "broken", "status", "body", "none"];

    public string Name => Names[(int)Outcome];

    public bool Passed => Outcome == CheckOutcome.Passed;

    public bool IsVerdict => Outcome != CheckOutcome.None;
}
