// A proxy at work: the engine, what it was configured from, and how it takes a new configuration. Compiled whole, swapped
// whole; a bad one is refused with its diagnostics and the plan in force stays. Touches nothing that belongs to the
// process: whoever embeds it keeps signals, console and exit for itself.

using System.Globalization;
using System.Security.Cryptography;
using Weir.Control.Admin;
using Weir.Control.Certificates;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Control.Discovery;
using Weir.Control.Health;
using Weir.Engine;
using Weir.Engine.Caching;
using Weir.Engine.Disk;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;

namespace Weir.Control;

/// <summary>What a reload brought.</summary>
public sealed record ReloadOutcome(bool Done, string Text);

/// <summary>A running proxy. Its methods may be called from any thread, one at a time.</summary>
public sealed class RunningProxy : IDisposable
{
    // Of bodies that wait on disk, all together.
    private const long MostSpilled = 1L << 30;

    private readonly Lock turn = new();
    private readonly Func<Diagnostics, ProxyConfig?> load;
    private readonly LiveThings live;
    private readonly PlanCompiler compiler;
    private readonly KernelGround ground;
    private readonly LogWriter writer;
    private readonly long descriptors;
    private readonly string? stateFolder;
    private readonly ProxyConfig started;
    private byte[]? stickyKey;
    private AdminListener? admin;
    private Watchdog? watchdog;
    private CertificateWatch? certificates;
    private Stapling? stapling;
    private volatile ProxyConfig config;
    private volatile string? adminToken;
    private long reloadsDone;
    private long reloadsRefused;
    private bool isCompiled;
    private bool isServing;
    private bool isStopping;

    private RunningProxy(Func<Diagnostics, ProxyConfig?> load, ProxyConfig first, long descriptors, string? defaultState)
    {
        stateFolder = first.State ?? defaultState;
        this.load = load;
        this.descriptors = descriptors;
        config = started = first;
        adminToken = first.Admin?.Token;
        Errors = new ErrorLog(LogTargets.Open(first.ErrorLog.Target, instead: first.ErrorLog.Target == "stderr" ? null : LogTargets.Open("stderr"))) { Level = LevelOf(first) };
        writer = new LogWriter(Errors);
        var loops = (int)(first.Loops ?? Environment.ProcessorCount);
        ground = new KernelGround(loops, Errors);
        Engine = new ProxyEngine(ground, Errors);
        live = new LiveThings(loops, Errors, Engine.Forget);
        Health = new HealthChecks(Engine, Errors);
        Automatic = new AutomaticTls(stateFolder, Errors, first.User is { } user ? SystemUser.Find(user)?.Id : null);
        compiler = new PlanCompiler(live, "weir-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)), ownKey: StickyKey) { Spill = stateFolder is null ? null : new SpillFolder(stateFolder, MostSpilled), StateFolder = stateFolder, Automatic = Automatic };
        StartedAt = DateTimeOffset.UtcNow;
    }

    public ProxyEngine Engine { get; }

    /// <summary>What of requests' bodies is on disk; null: there is no state folder.</summary>
    public SpillFolder? BuffersOnDisk => compiler.Spill;

    /// <summary>The active checks of endpoints.</summary>
    public HealthChecks Health { get; }

    public ErrorLog Errors { get; }

    /// <summary>What obtains certificates by itself.</summary>
    public AutomaticTls Automatic { get; }

    public LogWriter Logs => writer;

    /// <summary>What the admin listener asks for; null: nothing. Any thread.</summary>
    public string? AdminToken => adminToken;

    public DateTimeOffset StartedAt { get; }

    /// <summary>Who belongs to each upstream of the plan in force.</summary>
    public IReadOnlyDictionary<Upstream, Membership> Memberships => live.Memberships;

    /// <summary>The certificates of the sites in force. Any thread.</summary>
    public IReadOnlyList<SiteCertificates> Certificates => live.Certificates;

    /// <summary>The caches in force. Any thread.</summary>
    public IReadOnlyList<Cache> Caches => live.Caches;

    /// <summary>The names of servers that are followed. Any thread.</summary>
    public Names Names => live.Names;

    /// <summary>The configuration in force.</summary>
    public ProxyConfig Config => config;

    /// <summary>Whether it takes no new work: the readiness path says so.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>Reloads done, and refused, since the start.</summary>
    public (long Done, long Refused) Reloads => (Volatile.Read(ref reloadsDone), Volatile.Read(ref reloadsRefused));

    /// <summary>Where the control socket is.</summary>
    public string? ControlPath { get; private set; }

    /// <summary>Loads, binds and starts; null, with diagnostics, where that cannot be.</summary>
    public static RunningProxy? TryStart(Func<Diagnostics, ProxyConfig?> load, Diagnostics diagnostics, long descriptors)
    {
        var proxy = TryBind(load, diagnostics, descriptors, [], static () => null, out _);
        proxy?.Start();
        return proxy;
    }

    /// <summary>Loads, opens and binds, and serves nobody yet; null, with diagnostics, where that cannot be.</summary>
    /// <param name="load">Brings the configuration, now and for each reload.</param>
    /// <param name="diagnostics">What is wrong.</param>
    /// <param name="descriptors">The limit on descriptors, for the default limit on connections.</param>
    /// <param name="inherited">Listening sockets handed down: used instead of binding their addresses.</param>
    /// <param name="defaultControl">Where the control socket goes; asked only where the configuration does not say. Null: none.</param>
    /// <param name="isGood">Whether the configuration is good by itself: what failed then lies with the machine.</param>
    /// <param name="defaultState">The folder for what outlives the program where the configuration does not say; null: none.</param>
    public static RunningProxy? TryBind(Func<Diagnostics, ProxyConfig?> load, Diagnostics diagnostics, long descriptors, IEnumerable<int> inherited, Func<string?> defaultControl, out bool isGood, string? defaultState = null)
    {
        isGood = false;
        var config = load(diagnostics);
        if (config is null || diagnostics.HasErrors) return null;
        var proxy = new RunningProxy(load, config, descriptors, defaultState);
        foreach (var descriptor in inherited) proxy.ground.Inherit(descriptor);
        var unwritable = proxy.Errors.Target.TryOpen();
        if (unwritable is not null) diagnostics.Error(diagnostics.Where(config, "error_log"), $"cannot write to {config.ErrorLog.Target}: {unwritable}");
        if (diagnostics.HasErrors || !proxy.TryExecute(config, diagnostics) || !proxy.BindAdmin(defaultControl, diagnostics))
        {
            isGood = unwritable is not null || proxy.isCompiled;
            proxy.Engine.Stop();
            proxy.Dispose();
            return null;
        }

        foreach (var address in proxy.ground.Unused) diagnostics.Warn(config.At, $"a socket was handed down for {address}, and no listener has that address");
        isGood = true;
        return proxy;
    }

    /// <summary>Serves. Whoever becomes another user does so before: nothing is answered until now.</summary>
    public void Start()
    {
        Automatic.Start();
        Engine.Start();
        lock (turn)
        {
            isServing = true;
            live.Begin();
        }

        Health.Start();
        admin?.Start();
        watchdog = new Watchdog(Engine, Errors);
        certificates = new CertificateWatch(live, Errors);
        stapling = new Stapling(live, Errors, stateFolder);
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
            var isDone = false;
            try
            {
                isDone = TryReload(diagnostics);
            }
#pragma warning disable CA1031 // Whatever a file brings about, out of memory too: the configuration in force stays.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                diagnostics.Error(config.At, $"a mistake of ours: {bug.Message}");
                Errors.Error("reload", bug.ToString());
            }

            var said = diagnostics.ToString();
            Interlocked.Increment(ref isDone ? ref reloadsDone : ref reloadsRefused);
            var lines = said.Split('\n');
            if (!isDone) Errors.Deed(LogLevel.Error, "reload", $"refused, the configuration in force stays: {lines[0]}");
            else Errors.Deed(LogLevel.Info, "reload", said.Length == 0 ? "the new configuration is in force" : $"the new configuration is in force; {lines[0]}");
            foreach (var line in lines[1..]) Errors.Deed(isDone ? LogLevel.Warn : LogLevel.Error, "reload", line);
            return new ReloadOutcome(isDone, said);
        }
    }

    /// <summary>Opens log files anew, as after a rotation.</summary>
    public void ReopenLogs() => writer.Reopen();

    /// <summary>Stops: says that it is not ready, lets what is under way end, and breaks what is left at the end of its time.</summary>
    /// <param name="hurry">Set from outside to stop at once.</param>
    public void Stop(CancellationToken hurry)
    {
        IsDraining = true;
        Errors.Deed(LogLevel.Info, "stop", $"draining: {Engine.Connections} connections, {Active} requests under way");
        lock (turn)
        {
            isStopping = true;
            Engine.Drain(keepAccepting: config.DrainDelay > 0);
        }

        if (config.DrainDelay > 0)
        {
            hurry.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(Math.Min(config.DrainDelay, int.MaxValue)));
            lock (turn) Engine.Drain();
        }

        var patience = config.DrainTimeout == Shapes.NoLimit ? TimeSpan.MaxValue : TimeSpan.FromMilliseconds(config.DrainTimeout);
        var since = DateTimeOffset.UtcNow;
        while ((Engine.Connections > 0 || Engine.IsAccepting) && DateTimeOffset.UtcNow - since < patience && !hurry.IsCancellationRequested) hurry.WaitHandle.WaitOne(10);
        watchdog?.Dispose();
        watchdog = null;
        Automatic.Dispose();
        certificates?.Dispose();
        stapling?.Dispose();
        lock (turn) live.Close();
        Health.Stop();
        Engine.Stop();
        admin?.Dispose();
        Errors.Deed(LogLevel.Info, "stop", "stopped");
    }

    /// <summary>Says that it is not ready, and ends connections after their response; the program goes on.</summary>
    public void Drain()
    {
        IsDraining = true;
        Engine.Drain(keepAccepting: true);
        Errors.Deed(LogLevel.Info, "drain", "connections end after their response; the readiness path answers 503");
    }

    /// <summary>Ends <see cref="Drain"/>: it is ready again.</summary>
    /// <returns>Whether that can be: not while it stops.</returns>
    public bool Undrain()
    {
        lock (turn)
        {
            if (isStopping) return false;
            Engine.Undrain();
            IsDraining = false;
            Errors.Deed(LogLevel.Info, "drain", "over: connections are kept, and the readiness path answers 200");
            return true;
        }
    }

    /// <summary>Requests under way.</summary>
    public int Active => Engine.Workers.Sum(w => w.Records.Active);

    /// <summary>Files that were made for the process: whoever becomes another user gives them to it.</summary>
    public IEnumerable<string> Files =>
        writer.Logs.Select(l => l.Target).Append(Errors.Target).OfType<FileTarget>().Select(t => t.Path).Concat(ControlPath is null ? [] : [ControlPath]).Concat(stickyKey is null ? [] : [StickyKeyPath]).Distinct();

    public void Dispose()
    {
        watchdog?.Dispose();
        certificates?.Dispose();
        stapling?.Dispose();
        admin?.Dispose();
        Automatic.Dispose();
        live.Names.Dispose();
        writer.Dispose();
    }

    private string StickyKeyPath => Path.Combine(stateFolder ?? "", "sticky.key");

    // Read once: whoever has become another user may not be able to read it again.
    private (byte[]? Key, string Trouble) StickyKey()
    {
        if (stickyKey is not null) return (stickyKey, "");
        if (stateFolder is null) return (null, "there is no state folder");
        var user = started.User is { } name ? SystemUser.Find(name)?.Id : null;
        stickyKey = SecretFile.Get(StickyKeyPath, user, out var trouble);
        return (stickyKey, trouble);
    }

    private static LogLevel LevelOf(ProxyConfig config) => Enum.Parse<LogLevel>(config.ErrorLog.Level, ignoreCase: true);

    // The listener stays bound where it was at the start: a token written for another address, or none, is not its.
    private void TakeToken(ProxyConfig next)
    {
        if (next.Admin is { } now && now.Address.ToString() == started.Admin?.Address.ToString()) adminToken = now.Token;
    }

    private bool TryReload(Diagnostics diagnostics)
    {
        var next = load(diagnostics);
        if (next is null || diagnostics.HasErrors) return false;
        TellUnchangeable(next, diagnostics);
        if (!TryExecute(next, diagnostics)) return false;
        config = next;
        TakeToken(next);
        Errors.Level = LevelOf(next);
        return true;
    }

    private bool TryExecute(ProxyConfig next, Diagnostics diagnostics)
    {
        var plan = compiler.Compile(next, diagnostics, descriptors);
        isCompiled = plan is not null;
        if (plan is not null && TryOpenLogs(diagnostics))
        {
            if (Engine.TryExecute(plan, out var trouble, compiler.Apply))
            {
                writer.Use([.. compiler.Logs.Select(l => l.Log)]);
                if (isServing) live.Begin();
                Health.Look();
                return true;
            }

            foreach (var line in trouble) diagnostics.Error(next.Listen.Find(l => line.StartsWith($"cannot listen on {l.Address}: ", StringComparison.Ordinal))?.At ?? next.At, line);
        }

        compiler.Withdraw();
        return false;
    }

    // What cannot be written is told now and not with the first record.
    private bool TryOpenLogs(Diagnostics diagnostics)
    {
        foreach (var (log, at) in compiler.Logs)
        {
            if (!writer.Logs.Contains(log) && log.Target.TryOpen() is { } trouble) diagnostics.Error(at, $"cannot write to {log.Name}: {trouble}");
        }

        return !diagnostics.HasErrors;
    }

    // What a reload cannot change is named, not ignored.
    private void TellUnchangeable(ProxyConfig next, Diagnostics diagnostics)
    {
        if (next.Loops != started.Loops) diagnostics.Warn(diagnostics.Where(next, "loops"), "loops has changed: it takes a restart");
        if (next.User != started.User) diagnostics.Warn(diagnostics.Where(next, "user"), "user has changed: it takes a restart");
        if (next.Control != started.Control || next.State != started.State) diagnostics.Warn(diagnostics.Where(next, next.Control != started.Control ? "control" : "state"), "control or state has changed: it takes a restart");
        if (next.ErrorLog.Target != started.ErrorLog.Target) diagnostics.Warn(diagnostics.Where(next, "error_log"), "error_log.target has changed: it takes a restart");
        if (next.Admin?.Address.ToString() != started.Admin?.Address.ToString()) diagnostics.Warn(diagnostics.Where(next, "admin"), "admin.address has changed: it takes a restart");
        if (next.Watch != started.Watch) diagnostics.Warn(diagnostics.Where(next, "watch"), "watch has changed: it takes a restart");
        foreach (var (listener, _) in Engine.Addresses)
        {
            var same = next.Listen.Find(l => l.Address.ToString() == listener.Name);
            if (same is not null && config.Listen.Find(l => l.Address.ToString() == listener.Name) is { } before && (same.Mode, same.Owner, same.Group) != (before.Mode, before.Owner, before.Group)) diagnostics.Warn(same.At, $"mode, owner or group of {listener.Name} has changed: it takes a restart");
            if (same is not null && ((int)same.Backlog != listener.Backlog || same.SharesPort != listener.SharesPort)) diagnostics.Warn(same.At, $"backlog or reuse_port of {listener.Name} has changed: it takes a restart");
        }
    }

    private bool BindAdmin(Func<string?> defaultControl, Diagnostics diagnostics)
    {
        ControlPath = config.Control ?? (config.State is { } state ? Path.Combine(state, "weir.sock") : defaultControl());
        if (config.Admin is null && ControlPath is null) return true;
        admin = AdminListener.TryBind(this, config.Admin, ControlPath, out var trouble);
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
        yield return string.Create(CultureInfo.InvariantCulture, $"{config.Sites.Count} sites, {config.Sites.Sum(s => s.Routes.Count)} routes, {Engine.Plan!.Upstreams.Length} upstreams");
        yield return string.Create(CultureInfo.InvariantCulture, $"{live.Loops} loops");
        yield return string.Create(CultureInfo.InvariantCulture, $"{descriptors} descriptors, at most {Engine.Plan.MostConnections} connections");
    }
}
