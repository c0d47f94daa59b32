// A start that must not come about.

namespace Weir.Tests.Support;

/// <summary>The program run with a configuration to its end, which must be its own.</summary>
public sealed class FailedStart : IDisposable
{
    private const UnixFileMode ForAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private readonly string folder;

    public FailedStart(string configuration, string[]? prelude = null, params (string Name, string Value)[] environment)
    {
        folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        File.SetUnixFileMode(folder, ForAll); // The prelude may make it somebody else.
        var path = Path.Combine(folder, "weir.yaml");
        File.WriteAllText(path, $"control: {folder}/weir.sock\nloops: 2\n" + configuration);
        (Code, _, Error) = WeirProcess.Run(prelude ?? [], [("XDG_STATE_HOME", folder), .. environment], "run", "-c", path);
    }

    public int Code { get; }

    public string Error { get; }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
