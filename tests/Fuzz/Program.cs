// fuzz TARGET SECONDS [SEED] | fuzz TARGET --runs N [SEED] | fuzz TARGET --input BASE64
//
// Mutates examples, keeps what reaches a branch by a new way, and checks what must always hold. Only instrumented code is
// run: this file loads copies of the assemblies under test, and this program once more beside them.

using System.Reflection;
using System.Runtime.ExceptionServices;
using Weir.Tests.Fuzz;

using var instrumented = new InstrumentedContext();
var run = instrumented.LoadFromAssemblyPath(Assembly.GetExecutingAssembly().Location).GetType(typeof(Run).FullName!)!.GetMethod(nameof(Run.Start))!;
try
{
    return (int)run.Invoke(null, [args, instrumented.Branches])!;
}
catch (TargetInvocationException thrown) when (thrown.InnerException is { } inner)
{
    ExceptionDispatchInfo.Throw(inner);
    throw;
}
