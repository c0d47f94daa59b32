// What an execution reached: a counter for each way from one branch to the next (an edge; ways share a counter by chance,
// one in a hundred at the sizes here), and a flag for each branch.

using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Weir.Tests.Fuzz;

internal sealed unsafe class Coverage
{
    /// <summary>Counters, and flags behind them.</summary>
    public const int Size = 1 << 16;

    private readonly byte* map;
    private readonly byte[] seen = new byte[Size];

    public Coverage()
    {
        map = (byte*)NativeMemory.AllocZeroed(2 * Size);
        Trace.SharedMem = map;
    }

    /// <summary>Edges reached since <see cref="Clear"/>.</summary>
    public int Edges { get; private set; }

    /// <summary>Forgets everything: another target begins.</summary>
    public void Clear()
    {
        new Span<byte>(map, 2 * Size).Clear();
        seen.AsSpan().Clear();
        Edges = 0;
    }

    /// <summary>An execution begins.</summary>
    public void Begin()
    {
        new Span<byte>(map, Size).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>An execution has ended: whether it went a new way, or an old one so often as none did before (by powers of two).</summary>
    public bool TakeNew()
    {
        var isNew = false;
        var words = new ReadOnlySpan<ulong>(map, Size / sizeof(ulong));
        for (var word = 0; word < words.Length; word++)
        {
            if (words[word] == 0) continue;
            for (var i = word * sizeof(ulong); i < (word + 1) * sizeof(ulong); i++)
            {
                if (map[i] == 0) continue;
                var size = (byte)(1 << (int)uint.Log2(map[i]));
                if ((seen[i] & size) != 0) continue;
                isNew = true;
                if (seen[i] == 0) Edges++;
                seen[i] |= size;
            }
        }

        return isNew;
    }

    /// <summary>Whether a branch was reached since <see cref="Clear"/>.</summary>
    public bool Reached(int branch) => map[Size + branch] != 0;
}
