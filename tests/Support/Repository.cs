// Where things are in this repository, found from where the tests run.

namespace Weir.Tests.Support;

/// <summary>Paths of the repository.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>The native program where it was published, else the one that runs under the JIT.</summary>
    public static (string File, string[] Arguments) Program
    {
        get
        {
            var native = Path.Combine(Root, "artifacts", "weir");
            return File.Exists(native) ? (native, []) : (Path.Combine(Root, "weir"), []);
        }
    }

    private static string Find()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Weir.slnx"))) return folder;
        }

        throw new InvalidOperationException("the tests do not run inside the repository");
    }
}
