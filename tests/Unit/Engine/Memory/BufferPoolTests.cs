using Weir.Engine.Memory;

namespace Weir.Tests.Unit.Engine.Memory;

public class BufferPoolTests
{
    [Fact]
    public void What_is_kept_in_one_size_is_there_for_another()
    {
        var budget = new MemoryBudget(16 * 4096);
        var pool = new BufferPool(budget);
        var small = Enumerable.Range(0, 16).Select(_ => pool.TryLease(1)!).ToArray();
        Assert.Null(pool.TryLease(1));
        Assert.Equal(1, budget.Refusals);
        foreach (var chunk in small[..12]) pool.Return(chunk);
        Assert.Equal(16 * 4096, budget.Used);
        var large = Enumerable.Range(0, 3).Select(_ => pool.TryLease(16384)!).ToArray();
        Assert.Equal(16 * 4096, budget.Used);
        Assert.Null(pool.TryLease(16384));
        Assert.Equal(2, budget.Refusals);
        foreach (var chunk in small[12..].Concat(large)) pool.Return(chunk);
        pool.LetGo();
        Assert.Equal(0, budget.Used);
        Assert.Equal(0, pool.Leased);
    }
}
