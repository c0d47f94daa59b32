// Many tests block while they wait for others: the pool has threads enough that none of those waits for one.

using System.Runtime.CompilerServices;

namespace Weir.Tests.Unit;

internal static class PoolThreads
{
    [ModuleInitializer]
    internal static void Provide() => ThreadPool.SetMinThreads(64, 64);
}
