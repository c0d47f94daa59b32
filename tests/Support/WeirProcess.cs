// The built program, started with a configuration, on ports the system chooses.

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Tests.Support;

/// <summary>A running program under test; stopped when disposed.</summary>
public sealed partial class WeirProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Process process;
    private readonly StringBuilder said = new();
    private readonly ManualResetEventSlim ready = new();

    private WeirProcess(string path, string folder, Process process)
    {
        ConfigPath = path;
        Folder = folder;
        this.process = process;
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
    }

    /// <summary>A folder of its own: the configuration and its state.</summary>
    public string Folder { get; }

    /// <summary>The configuration it was started with: a file, or a folder of them.</summary>
    public string ConfigPath { get; }

    public string ControlPath => Path.Combine(Folder, "weir.sock");

    public int Id => process.Id;

    /// <summary>The ports listened on, in the order of the configuration.</summary>
    public int[] Ports { get; private set; } = [];

    public int Port => Ports[0];

    public IPEndPoint End => new(IPAddress.Loopback, Port);

    /// <summary>All it has said so far.</summary>
    public string Said
    {
        get
        {
            lock (said) return said.ToString();
        }
    }

    /// <summary>Starts with a configuration; "PORT0" style ports are written as :0 by the caller.</summary>
    /// <param name="configuration">The configuration, but for the control socket and the number of loops.</param>
    /// <param name="folder">Its folder; null: a new one.</param>
    /// <param name="prelude">A command that prepares the process and then executes what follows it, such as <see cref="Shell"/>; null: none.</param>
    /// <param name="environment">Further variables.</param>
    public static WeirProcess Start(string configuration, string? folder = null, string[]? prelude = null, params (string Name, string Value)[] environment)
    {
        folder ??= Directory.CreateTempSubdirectory("weir-test-").FullName;
        var path = Path.Combine(folder, "weir.yaml");
        Write(path, folder, configuration);
        return StartAt(path, folder, prelude, environment);
    }

    /// <summary>Starts with a configuration that is there, as it is: its control socket should be <see cref="ControlPath"/>.</summary>
    public static WeirProcess StartAt(string path, string folder, string[]? prelude = null, params (string Name, string Value)[] environment) =>
        Await(new WeirProcess(path, folder, Launch(folder, prelude ?? [], environment, "run", "-c", path)));

    /// <summary>Starts a command that needs no file.</summary>
    public static WeirProcess StartCommand(params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        return Await(new WeirProcess("", folder, Launch(folder, [], [], [.. arguments, "--control", Path.Combine(folder, "weir.sock")])));
    }

    private static WeirProcess Await(WeirProcess weir)
    {
        var since = Stopwatch.StartNew();
        while (!weir.ready.Wait(TimeSpan.FromMilliseconds(100)))
        {
            if (since.Elapsed < Patience && !weir.process.HasExited) continue;
            var said = weir.Said;
            weir.Dispose();
            throw new InvalidOperationException($"weir did not start: {said}");
        }

        weir.Ports = [.. ListeningPattern().Matches(weir.Said).Select(m => int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture))];
        return weir;
    }

    /// <summary>A prelude: a line of shell, after which the program is executed in the same process.</summary>
    public static string[] Shell(string line) => ["sh", "-c", line + "; exec \"$@\"", "sh"];

    /// <summary>Writes another configuration where the first was.</summary>
    public void Configure(string configuration) => Write(ConfigPath, Folder, configuration);

    /// <summary>Runs a command to its end.</summary>
    public static (int Code, string Output, string Error) Run(params string[] arguments) => Run(Path.GetTempPath(), arguments);

    /// <summary>Runs a command to its end, in an environment and behind a prelude.</summary>
    public static (int Code, string Output, string Error) Run(string[] prelude, (string Name, string Value)[] environment, params string[] arguments)
    {
        var (file, before) = Repository.Program;
        string[] all = [.. prelude, file, .. before, .. arguments];
        var (code, output, error) = Command.Run(all[0], all[1..], Path.GetTempPath(), Patience, environment);
        return (code, output, error);
    }

    /// <summary>Runs a command against this process's control socket.</summary>
    public (int Code, string Output, string Error) Ask(params string[] command) => Run(Folder, [.. command, "--control", ControlPath]);

    public void Signal(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public bool WaitForExit(TimeSpan patience) => process.WaitForExit(patience);

    public int ExitCode => process.ExitCode;

    /// <summary>Connects to the first listener.</summary>
    public NetworkStream Connect(int index = 0)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 20_000, SendTimeout = 20_000 };
        socket.Connect(IPAddress.Loopback, Ports[index]);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Sends bytes on a connection of its own and reads until the end.</summary>
    public string Exchange(string request, bool finish = false)
    {
        using var stream = Connect();
        stream.Write(Encoding.Latin1.GetBytes(request));
        if (finish) stream.Socket.Shutdown(SocketShutdown.Send);
        return ReadToEnd(stream);
    }

    /// <summary>Sends bytes to an address, over TCP or a Unix socket, and reads until the end.</summary>
    public static string Exchange(EndPoint to, string request)
    {
        using var stream = Connect(to);
        stream.Write(Encoding.Latin1.GetBytes(request));
        return ReadToEnd(stream);
    }

    /// <summary>Connects to an address, over TCP or a Unix socket.</summary>
    public static NetworkStream Connect(EndPoint to)
    {
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000, SendTimeout = 20_000 };
        socket.Connect(to);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Reads until the peer ends or breaks the connection.</summary>
    public static string ReadToEnd(NetworkStream stream)
    {
        var all = new MemoryStream();
        var buffer = new byte[65536];
        try
        {
            int got;
            while ((got = stream.Read(buffer)) > 0) all.Write(buffer, 0, got);
        }
        catch (IOException)
        {
            // A reset is an end too; what came before it counts.
        }

        return Encoding.Latin1.GetString(all.ToArray());
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
            process.WaitForExit();
        }

        process.Dispose();
        ready.Dispose();
        if (Directory.Exists(Folder)) Directory.Delete(Folder, recursive: true);
    }

    private static (int, string, string) Run(string folder, params string[] arguments)
    {
        var (file, before) = Repository.Program;
        var (code, output, error) = Command.Run(file, before.Concat(arguments), folder, Patience, ("XDG_STATE_HOME", folder));
        return (code, output, error);
    }

    private static void Write(string path, string folder, string configuration) =>
        File.WriteAllText(path, $"control: {folder}/weir.sock\nloops: 2\n" + configuration);

    private static Process Launch(string folder, string[] prelude, (string Name, string Value)[] environment, params string[] arguments)
    {
        var (file, before) = Repository.Program;
        // Who runs the tests in the background, or under nohup, ignores signals, and what it starts would inherit that.
        string[] all = ["env", "--default-signal=INT,HUP", .. prelude, file, .. before, .. arguments];
        var start = new ProcessStartInfo(all[0], all[1..]) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = folder };
        start.Environment["XDG_STATE_HOME"] = folder;
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (said) said.AppendLine(line);
        if (line.StartsWith("weir: on ", StringComparison.Ordinal)) ready.Set(); // The last of what it says at the start.
    }

    [GeneratedRegex(@"listening on \S*:(\d+)")]
    private static partial Regex ListeningPattern();
}
