// The three things a policy can say, and the only contracts a policy knows.

namespace Weir.Engine.Exchanges;

/// <summary>What a request policy says: go on, answer like this, or this is a fault.</summary>
public readonly struct Verdict
{
    private Verdict(Answer? answer, Fault fault)
    {
        Answer = answer;
        Fault = fault;
    }

    public static Verdict Continue => default;

    /// <summary>The answer to give instead of going on.</summary>
    public Answer? Answer { get; }

    public Fault Fault { get; }

    public bool IsContinue => Answer is null && Fault.IsNone;

    public static implicit operator Verdict(Answer answer) => new(answer, Fault.None);

    public static implicit operator Verdict(Fault fault) => new(null, fault);
}

/// <summary>Looks at a request, and may edit what is sent on. Shared by all loops: holds no state of an exchange.</summary>
public interface IRequestPolicy
{
    Verdict Apply(Exchange exchange);
}

/// <summary>Edits a response before its head is sent. Shared by all loops: holds no state of an exchange.</summary>
public interface IResponsePolicy
{
    /// <returns>False where there is no room for an edit: the response must not go out without it.</returns>
    bool Apply(Exchange exchange);

    /// <summary>As <see cref="Apply"/>, for an interim response (1xx): what must not be seen is taken out, nothing is added.</summary>
    void ApplyInterim(Exchange exchange);
}
