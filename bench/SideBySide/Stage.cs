// Everything a run starts: pinned to a processor, in a folder of its own, and ended with the run however it ends. Children
// are started by the one thread that lives as long as the run (the kernel tells them when that thread is gone).

using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Bench.SideBySide;

internal sealed class Stage : IDisposable
{
    private const string SharedMemory = "/dev/shm";

    private readonly List<Process> running = [];
    private readonly Lock guard = new();
    private readonly string folder = Directory.CreateTempSubdirectory("weir-bench-").FullName;
    private string? memoryFolder;
    private int folders;
    private bool ended;

    public Stage(Settings settings)
    {
        var cpus = settings.Cpus.Count > 0 ? settings.Cpus : Processes.AllowedCpus();
        if (cpus.Count < 2) throw new InvalidOperationException("two processors are needed: one for the proxy, one for load and origin");
        (ProxyCpu, LoadCpu, OriginCpu) = (cpus[0], cpus[1], cpus.Count > 2 ? cpus[2] : cpus[1]);
        LoadTool = Path.Combine(settings.Tools, "load", "load");
    }

    public int ProxyCpu { get; }

    public int LoadCpu { get; }

    public int OriginCpu { get; }

    /// <summary>Whether the run is being ended from outside.</summary>
    public bool IsEnded
    {
        get
        {
            lock (guard) return ended;
        }
    }

    private string LoadTool { get; }

    /// <param name="name">What it is called.</param>
    /// <param name="inMemory">Where files are not written to a disk, if there is such a place.</param>
    public string NewFolder(string name, bool inMemory = false)
    {
        if (inMemory && Directory.Exists(SharedMemory)) memoryFolder ??= Directory.CreateDirectory(Path.Combine(SharedMemory, Path.GetFileName(folder))).FullName;
        return Directory.CreateDirectory(Path.Combine(inMemory ? memoryFolder ?? folder : folder, $"{folders++}-{name}")).FullName;
    }

    /// <summary>A port that was free a moment ago.</summary>
    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Starts a program whose output goes to a file.</summary>
    public Process Start(int cpu, string outputFile, params IEnumerable<string> command) =>
        Launch(new ProcessStartInfo("sh", ["-c", "out=$1; shift; exec \"$@\" >\"$out\" 2>&1", "sh", outputFile, .. Pinned(cpu), .. command]));

    /// <summary>Starts the origin.</summary>
    /// <returns>Its port.</returns>
    public int StartOrigin()
    {
        var origin = Launch(new ProcessStartInfo("taskset", [.. Pinned(OriginCpu).Skip(1), LoadTool, "origin", "0"]) { RedirectStandardOutput = true });
        return int.Parse(origin.StandardOutput.ReadLine() ?? throw new InvalidOperationException("the origin did not start"), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Starts servers that have so many slots and need so long.</summary>
    /// <returns>Their ports, and the process.</returns>
    public (int[] Ports, Process Process) StartSlowOrigins(params IEnumerable<string> arguments)
    {
        var origins = Launch(new ProcessStartInfo("taskset", [.. Pinned(OriginCpu).Skip(1), LoadTool, "slow-origins", .. arguments]) { RedirectStandardOutput = true });
        var ports = origins.StandardOutput.ReadLine() ?? throw new InvalidOperationException("the origins did not start");
        return ([.. ports.Split(',').Select(p => int.Parse(p, System.Globalization.CultureInfo.InvariantCulture))], origins);
    }

    /// <summary>Starts the generator; its line of JSON comes on its standard output.</summary>
    public Process StartLoad(params IEnumerable<string> arguments) =>
        Launch(new ProcessStartInfo("taskset", [.. Pinned(LoadCpu).Skip(1), LoadTool, .. arguments]) { RedirectStandardOutput = true, RedirectStandardInput = true });

    /// <summary>Runs a program to its end.</summary>
    /// <returns>What it wrote, on both streams.</returns>
    public static string Ask(string program, params IEnumerable<string> arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit(10_000);
            return output + error.Result;
        }
        catch (Win32Exception)
        {
            return "";
        }
    }

    public void Stop(Process process)
    {
        lock (guard)
        {
            if (!running.Remove(process)) return;
        }

        End(process);
    }

    public void Dispose()
    {
        Process[] rest;
        lock (guard)
        {
            if (ended) return;
            ended = true;
            rest = [.. running];
            running.Clear();
        }

        foreach (var process in rest) End(process);
        foreach (var own in memoryFolder is null ? [folder] : new[] { folder, memoryFolder })
        {
            try
            {
                Directory.Delete(own, recursive: true);
            }
            catch (IOException e)
            {
                Console.Error.WriteLine($"bench: {own} stays behind: {e.Message}");
            }
        }
    }

    private string[] Pinned(int cpu) => ["taskset", "-c", $"{cpu}", "setpriv", "--pdeathsig", "TERM"];

    private Process Launch(ProcessStartInfo start)
    {
        lock (guard)
        {
            ObjectDisposedException.ThrowIf(ended, this);
            var process = Process.Start(start)!;
            running.Add(process);
            return process;
        }
    }

    // Told to stop first: a master takes its workers with it. Whoever is left of the family after that is killed.
    private static void End(Process process)
    {
        if (process.HasExited)
        {
            process.Dispose();
            return;
        }

        int[] family = [.. Processes.Family(process.Id)];
        using (Process.Start("kill", ["-TERM", $"{process.Id}"])) { }
        if (!process.WaitForExit(1500)) process.Kill(entireProcessTree: true);
        foreach (var member in family.Skip(1))
        {
            if (!Directory.Exists($"/proc/{member}")) continue;
            try
            {
                using var orphan = Process.GetProcessById(member);
                if (!orphan.WaitForExit(500)) orphan.Kill();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
            {
                // It ended between the two looks.
            }
        }

        process.WaitForExit();
        process.Dispose();
    }
}
