// Serving until told to stop, and all that belongs to the process: signals, descriptors, the user, the service manager.
//   TERM, INT  drain, then stop; a second one stops now        HUP   reload        USR1  reopen the logs

using System.Diagnostics;
using System.Runtime.InteropServices;
using Weir.Control;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static class Serve
{
    /// <summary>Runs a proxy to its end.</summary>
    /// <param name="load">Brings the configuration, now and for each reload.</param>
    /// <param name="file">The file or folder it comes from, for watching; null: none.</param>
    public static int Run(Func<Diagnostics, ProxyConfig?> load, string? file)
    {
        var descriptors = Descriptors.Raise();
        var diagnostics = new Diagnostics();
        var inherited = ServiceManager.ListeningDescriptors();
        using var proxy = RunningProxy.TryBind(load, diagnostics, descriptors, inherited, StateFolder.ControlSocket, out var isGood, StateFolder.Path);
        var said = diagnostics.ToString();
        if (said.Length > 0) Console.Error.WriteLine(said);
        if (proxy is null) return isGood ? ExitCode.Failed : ExitCode.Usage;
        if (proxy.Config.User is { } user && !ProcessUser.TryBecome(user, proxy.Files, out var trouble))
        {
            Console.Error.WriteLine($"weir: {trouble}");
            return ExitCode.Failed;
        }

        proxy.Start();
        Console.Error.WriteLine($"weir {ProductVersion.Text}");
        foreach (var line in proxy.Describe().Append($"on {RuntimeInformation.FrameworkDescription}, Linux {Kernel()}, {RuntimeInformation.RuntimeIdentifier}")) Console.Error.WriteLine($"weir: {line}");
        ServiceManager.Notify("READY=1");
        Wait(proxy, file);
        return ExitCode.Good;
    }

    private static string Kernel()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Environment.OSVersion.Version.ToString(); // A service may see little of /proc.
        }
    }

    private static void Reload(RunningProxy proxy)
    {
        ServiceManager.Notify($"RELOADING=1\nMONOTONIC_USEC={Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000)}");
        proxy.Reload();
        ServiceManager.Notify("READY=1");
    }

    private static void Wait(RunningProxy proxy, string? file)
    {
        using var stopping = new ManualResetEventSlim();
        using var hurry = new CancellationTokenSource();
        void OnStop(PosixSignalContext context)
        {
            context.Cancel = true;
            if (stopping.IsSet) hurry.Cancel();
            stopping.Set();
        }

        void OnReload(PosixSignalContext context)
        {
            context.Cancel = true;
            Reload(proxy);
        }

        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnStop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnStop);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnReload);
        using var reopen = PosixSignalRegistration.Create((PosixSignal)10, context =>
        {
            context.Cancel = true;
            proxy.ReopenLogs();
        });
        using var watch = proxy.Config.Watch && file is not null ? new FileWatch(file, () => Reload(proxy)) : null;
        stopping.Wait();
        ServiceManager.Notify("STOPPING=1");
        proxy.Stop(hurry.Token);
    }
}
