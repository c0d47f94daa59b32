// micro [WORD]: runs all benchmarks, or those whose name has the word. Exit code 1 where one allocates more than it may.

using Weir.Bench.Micro;

var word = args.Length > 0 ? args[0] : "";
var above = 0;
Gate[] gates = [.. WireGates.All(), .. RoutingGates.All(), .. BalancingGates.All(), .. LoopGates.All(), .. RecordGates.All()];
foreach (var gate in gates.Where(g => g.Name.Contains(word, StringComparison.OrdinalIgnoreCase)))
{
    if (!gate.Run()) above++;
}

if (above > 0) Console.Error.WriteLine($"micro: {above} above what they may allocate");
return above > 0 ? 1 : 0;
