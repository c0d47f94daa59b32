// What is fuzzed: some code, examples to begin with, and what must hold for every input.

using System.Runtime.CompilerServices;

namespace Weir.Tests.Fuzz;

internal abstract class Target
{
    public abstract string Name { get; }

    /// <summary>Types whose branches are counted, by their full names or their beginnings.</summary>
    public abstract string[] Covers { get; }

    public abstract IEnumerable<string> Examples { get; }

    /// <summary>Words worth putting into an input.</summary>
    public virtual string[] Words => [];

    public virtual int MostBytes => 4096;

    /// <summary>Runs the code; throws where something does not hold. What it chooses it draws from the input: an input tells all.</summary>
    public abstract void Check(byte[] input);

    protected static void Must(bool holds, string what)
    {
        if (!holds) throw new BrokenException(what);
    }

    /// <summary>The same, with words that are only put together where it does not hold.</summary>
    protected static void Must(bool holds, [InterpolatedStringHandlerArgument(nameof(holds))] ref Broken what)
    {
        if (!holds) throw new BrokenException(what.Text.ToStringAndClear());
    }

    [InterpolatedStringHandler]
    protected ref struct Broken
    {
        public DefaultInterpolatedStringHandler Text;

        public Broken(int literals, int holes, bool holds, out bool isWanted)
        {
            isWanted = !holds;
            Text = holds ? default : new DefaultInterpolatedStringHandler(literals, holes);
        }

        public void AppendLiteral(string text) => Text.AppendLiteral(text);

        public void AppendFormatted<T>(T value) => Text.AppendFormatted(value);
    }
}

/// <summary>Something that must always hold does not.</summary>
internal sealed class BrokenException(string what) : Exception(what);

/// <summary>Choices that follow from an input.</summary>
internal struct Draw
{
    private ulong state = 14695981039346656037;

    public Draw(ReadOnlySpan<byte> from)
    {
        foreach (var b in from) state = (state ^ b) * 1099511628211;
    }

    /// <summary>A number from 0 to <paramref name="bound"/>, which is not reached.</summary>
    public int Below(int bound)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (int)((state >> 16) % (ulong)bound);
    }
}
