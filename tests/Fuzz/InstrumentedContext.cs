// Copies of the assemblies under test in which every branch leaves a mark. SharpFuzz puts the marks in; they are numbered
// anew here, because its numbers are made by chance and a run must be repeatable, and get a second mark of their own, so
// that it can be told which branches were reached and not only by which ways.

using System.Reflection;
using System.Runtime.Loader;
using dnlib.DotNet;
using dnlib.DotNet.Emit;
using SharpFuzz;

namespace Weir.Tests.Fuzz;

internal sealed class InstrumentedContext : AssemblyLoadContext, IDisposable
{
    // The parser library under the configuration too: what it throws at odd places is ours to catch.
    private static readonly string[] Names = ["Weir.Wire", "Weir.Engine", "Weir.Control", "YamlDotNet"];

    private readonly string folder = Directory.CreateTempSubdirectory("weir-fuzz-").FullName;
    private readonly int[] numbers = Enumerable.Range(0, Coverage.Size).ToArray();
    private int used;

    public InstrumentedContext()
    {
        new Random(1).Shuffle(numbers);
        foreach (var name in Names)
        {
            var copy = Path.Combine(folder, name + ".dll");
            File.Copy(Path.Combine(AppContext.BaseDirectory, name + ".dll"), copy);
            Fuzzer.Instrument(copy, static type => type.StartsWith("Weir.", StringComparison.Ordinal) || type.StartsWith("YamlDotNet.Core.", StringComparison.Ordinal), Options.Value);
            Number(copy);
        }
    }

    /// <summary>The numbers of the branches of each type, nested types under the outermost.</summary>
    public Dictionary<string, List<int>> Branches { get; } = [];

    public void Dispose() => Directory.Delete(folder, recursive: true);

    protected override Assembly? Load(AssemblyName name)
    {
        var copy = Path.Combine(folder, name.Name + ".dll");
        if (File.Exists(copy)) return LoadFromAssemblyPath(copy);
        return name.Name!.StartsWith("Weir.", StringComparison.Ordinal) ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, name.Name + ".dll")) : null;
    }

    private void Number(string path)
    {
        var written = path + ".numbered";
        using (var module = ModuleDefMD.Load(path))
        {
            foreach (var method in module.GetTypes().SelectMany(t => t.Methods).Where(m => m.HasBody)) Number(method);
            module.Write(written);
        }

        File.Move(written, path, overwrite: true);
    }

    // A mark begins with the address of the map and the branch's number and ends by keeping half the number as the last place.
    private void Number(MethodDef method)
    {
        const int MarkLength = 13;
        var body = method.Body;
        body.SimplifyBranches();
        var instructions = body.Instructions;
        for (var end = 0; end < instructions.Count; end++)
        {
            if (instructions[end].OpCode != OpCodes.Stsfld || instructions[end].Operand is not MemberRef { Name.String: "PrevLocation" }) continue;
            var map = instructions[end - (MarkLength - 1)];
            var number = numbers[used++];
            instructions[end - (MarkLength - 2)].Operand = number;
            instructions[end - 1].Operand = number >> 1;
            instructions.Insert(end + 1, new Instruction(map.OpCode, map.Operand));
            instructions.Insert(end + 2, Instruction.Create(OpCodes.Ldc_I4, Coverage.Size + number));
            instructions.Insert(end + 3, Instruction.Create(OpCodes.Add));
            instructions.Insert(end + 4, Instruction.Create(OpCodes.Ldc_I4_1));
            instructions.Insert(end + 5, Instruction.Create(OpCodes.Stind_I1));
            end += 5;
            var type = method.DeclaringType;
            while (type.DeclaringType is not null) type = type.DeclaringType;
            if (!Branches.TryGetValue(type.FullName, out var branches)) Branches[type.FullName] = branches = [];
            branches.Add(number);
        }

        body.OptimizeBranches();
    }
}
