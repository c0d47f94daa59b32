// weir run without a file: the embedded default. Two sample origins on ports of the system's choosing, and a proxy on
// :8080 in front of them, so that load shared, a failure survived and metrics can be seen in the first minute.

using Weir.Control;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static class Demonstration
{
    public static int Run()
    {
        Descriptors.Raise();
        using var one = Origin("one");
        using var two = Origin("two");
        if (one is null || two is null) return ExitCode.Failed;
        var (a, b) = (PortOf(one), PortOf(two));
        Console.Error.WriteLine($"""
            weir: a demonstration: http://localhost:8080/ in front of two sample origins, on ports {a} and {b}
              curl http://localhost:8080/            twice: the load is shared
              curl -X POST http://127.0.0.1:{a}/stop   and again: a failure is survived
              curl http://localhost:9900/metrics     what was counted
            """);
        var text = $$"""
            listen: ":8080"
            admin: "127.0.0.1:9900"
            access_log: stdout
            sites:
              - proxy: ["http://127.0.0.1:{{a}}", "http://127.0.0.1:{{b}}"]
            """;
        return Serve.Run(diagnostics => ConfigLoader.Read("embedded default", text, diagnostics, static _ => null), file: null);
    }

    private static RunningProxy? Origin(string name)
    {
        var text = $$"""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { level: error }
            sites:
              - routes:
                  - match: { path: /stop, methods: [POST] }
                    respond: { status: 410, body: "origin {{name}} stops\n" }
                  - respond: { status: 200, body: "hello from origin {{name}}: {method} {uri}\n" }
            """;
        var diagnostics = new Diagnostics();
        var origin = RunningProxy.TryStart(d => ConfigLoader.Read("sample origin", text, d, static _ => null), diagnostics, 1024);
        if (origin is null)
        {
            Console.Error.WriteLine(diagnostics);
            return null;
        }

        new Thread(() => StopWhenAsked(origin)) { IsBackground = true }.Start();
        return origin;
    }

    // The origin is stopped by its own /stop: its 410 is seen in the counters, so that a sample origin needs no code of its own.
    private static void StopWhenAsked(RunningProxy origin)
    {
        while (origin.Engine.Plan!.Sites.All(site => site.Record!.Traffic.Total().Classes[4] == 0)) Thread.Sleep(5);
        origin.Stop(new CancellationToken(canceled: true)); // At once, as a server that dies.
        origin.Dispose();
    }

    private static int PortOf(RunningProxy origin) => origin.Engine.Addresses[0].Address.Port;
}
