// A proxy at work: the engine, what it was configured from, and how it takes a new configuration. Compiled whole, swapped
// whole; a bad one is refused with its diagnostics and the plan in force stays. Touches nothing that belongs to the
// process: whoever embeds it keeps signals, console and exit for itself.

using System.Globalization;
using System.Security.Cryptography;
using Weir.Control.Admin;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Observe;

namespace Weir.Control;

/// <summary>What a reload brought.</summary>
public sealed record ReloadOutcome(bool Done, string Text);

/// <summary>A running proxy. Its methods may be called from any thread, one at a time.</summary>
public sealed class RunningProxy : IDisposable
{
    private readonly Lock turn = new();
    private readonly Func<Diagnostics, ProxyConfig?> load;
    private readonly LiveThings live;
    private readonly PlanCompiler compiler;
    private readonly KernelGround ground;
    private readonly LogWriter writer;
    private readonly long descriptors;
    private AdminListener? admin;
    private Watchdog? watchdog;
    private ProxyConfig config;
    private bool isStopping;

    private RunningProxy(Func<Diagnostics, ProxyConfig?> load, ProxyConfig first, long descriptors)
    {
        this.load = load;
        this.descriptors = descriptors;
        config = first;
        Errors = new ErrorLog(LogTargets.Open(first.ErrorLog.Target)) { Level = LevelOf(first) };
        writer = new LogWriter(Errors);
        var loops = (int)(first.Loops ?? Environment.ProcessorCount);
        live = new LiveThings(loops);
        ground = new KernelGround(loops, Errors);
        Engine = new ProxyEngine(ground, Errors);
        compiler = new PlanCompiler(live, "weir-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)));
        StartedAt = DateTimeOffset.UtcNow;
    }

    public ProxyEngine Engine { get; }

    public ErrorLog Errors { get; }

    public LiveThings Live => live;

    public LogWriter Logs => writer;

    public DateTimeOffset StartedAt { get; }

    /// <summary>The configuration in force.</summary>
    public ProxyConfig Config => config;

    /// <summary>Whether it takes no new work: the readiness path says so.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>Reloads done, and refused, since the start.</summary>
    public (long Done, long Refused) Reloads { get; private set; }

    /// <summary>Where the control socket is.</summary>
    public string? ControlPath { get; private set; }

    /// <summary>Loads, binds and starts; null, with diagnostics, where that cannot be.</summary>
    /// <param name="load">Brings the configuration, now and for each reload.</param>
    /// <param name="diagnostics">What is wrong.</param>
    /// <param name="descriptors">The limit on descriptors, for the default limit on connections.</param>
    /// <param name="inherited">Listening sockets handed down: used instead of binding their addresses.</param>
    /// <param name="controlPath">Where the control socket goes unless the configuration says; null: none.</param>
    public static RunningProxy? TryStart(Func<Diagnostics, ProxyConfig?> load, Diagnostics diagnostics, long descriptors, IEnumerable<int>? inherited = null, string? controlPath = null)
    {
        var config = load(diagnostics);
        if (config is null || diagnostics.HasErrors) return null;
        var proxy = new RunningProxy(load, config, descriptors);
        foreach (var descriptor in inherited ?? []) proxy.ground.Inherit(descriptor);
        if (!proxy.TryExecute(config, diagnostics) || !proxy.StartAdmin(controlPath, diagnostics))
        {
            proxy.writer.Dispose();
            return null;
        }

        proxy.Engine.Start();
        proxy.watchdog = new Watchdog(proxy.Engine, proxy.Errors);
        return proxy;
    }

    /// <summary>Takes the configuration anew.</summary>
    public ReloadOutcome Reload()
    {
        lock (turn)
        {
            if (isStopping)
            {
                Errors.Warn("reload", "refused: the program is stopping");
                return new ReloadOutcome(false, "the program is stopping");
            }

            var diagnostics = new Diagnostics();
            var next = load(diagnostics);
            if (next is not null && !diagnostics.HasErrors)
            {
                TellUnchangeable(next, diagnostics);
                if (TryExecute(next, diagnostics))
                {
                    config = next;
                    Errors.Level = LevelOf(next);
                    Reloads = (Reloads.Done + 1, Reloads.Refused);
                    var said = diagnostics.ToString();
                    Errors.Info("reload", said.Length == 0 ? "the new configuration is in force" : $"the new configuration is in force; {said}");
                    return new ReloadOutcome(true, said);
                }
            }

            Reloads = (Reloads.Done, Reloads.Refused + 1);
            Errors.Error("reload", $"refused, the configuration in force stays: {diagnostics}");
            return new ReloadOutcome(false, diagnostics.ToString());
        }
    }

    /// <summary>Opens log files anew, as after a rotation.</summary>
    public void ReopenLogs() => writer.Reopen();

    /// <summary>Stops: says that it is not ready, lets what is under way end, and breaks what is left at the end of its time.</summary>
    /// <param name="hurry">Set from outside to stop at once.</param>
    public void Stop(CancellationToken hurry)
    {
        IsDraining = true;
        Errors.Info("stop", $"draining: {Engine.Connections} connections, {Active} requests under way");
        lock (turn)
        {
            isStopping = true;
            Engine.Drain();
        }

        var patience = config.DrainTimeout == Shapes.NoLimit ? TimeSpan.MaxValue : TimeSpan.FromMilliseconds(config.DrainTimeout);
        var since = DateTimeOffset.UtcNow;
        while (Engine.Connections > 0 && DateTimeOffset.UtcNow - since < patience && !hurry.IsCancellationRequested) hurry.WaitHandle.WaitOne(10);
        Engine.Stop();
        admin?.Dispose();
        Errors.Info("stop", "stopped");
    }

    /// <summary>Takes no new connections, and lets what is under way end; the program goes on.</summary>
    public void Drain()
    {
        IsDraining = true;
        Engine.Drain(keepAccepting: true);
        Errors.Info("drain", "connections end after their response; the readiness path answers 503");
    }

    /// <summary>Requests under way.</summary>
    public int Active => Engine.Workers.Sum(w => w.Records.Active);

    public void Dispose()
    {
        watchdog?.Dispose();
        admin?.Dispose();
        writer.Dispose();
    }

    private static LogLevel LevelOf(ProxyConfig config) => Enum.Parse<LogLevel>(config.ErrorLog.Level, ignoreCase: true);

    private bool TryExecute(ProxyConfig next, Diagnostics diagnostics)
    {
        var plan = compiler.Compile(next, diagnostics, descriptors);
        if (plan is null) return false;
        if (!Engine.TryExecute(plan, out var trouble, compiler.Apply))
        {
            foreach (var line in trouble) diagnostics.Error(next.At, line);
            return false;
        }

        writer.Use([.. compiler.Logs]);
        return true;
    }

    // What a reload cannot change is named, not ignored.
    private void TellUnchangeable(ProxyConfig next, Diagnostics diagnostics)
    {
        if (next.Loops != config.Loops) diagnostics.Warn(next.At, "loops has changed: it takes a restart");
        if (next.User != config.User) diagnostics.Warn(next.At, "user has changed: it takes a restart");
        if (next.Control != config.Control || next.State != config.State) diagnostics.Warn(next.At, "control or state has changed: it takes a restart");
        if (next.ErrorLog.Target != config.ErrorLog.Target) diagnostics.Warn(next.At, "error_log.target has changed: it takes a restart");
        if (next.Admin?.Address.ToString() != config.Admin?.Address.ToString()) diagnostics.Warn(next.At, "admin.address has changed: it takes a restart");
    }

    private bool StartAdmin(string? controlPath, Diagnostics diagnostics)
    {
        ControlPath = config.Control ?? controlPath;
        if (config.Admin is null && ControlPath is null) return true;
        admin = AdminListener.TryStart(this, config.Admin, ControlPath, out var trouble);
        if (admin is not null) return true;
        diagnostics.Error(config.Admin?.At ?? config.At, trouble);
        return false;
    }

    /// <summary>A line for each thing worth knowing at the start.</summary>
    public IEnumerable<string> Describe()
    {
        foreach (var (_, address) in Engine.Addresses) yield return $"listening on {address}";
        if (admin?.Address is { } at) yield return $"admin on {at}";
        if (ControlPath is not null) yield return $"control socket {ControlPath}";
        yield return string.Create(CultureInfo.InvariantCulture, $"{config.Sites.Count} sites, {config.Sites.Sum(s => s.Routes.Count)} routes, {Engine.Plan!.Upstreams.Length} upstreams, {live.Loops} loops, {descriptors} descriptors, at most {Engine.Plan.MostConnections} connections");
    }
}
