// Notices that a configuration has changed, by looking at it once a second: works on every file system, with every editor's
// way of saving, and through links that are switched to another folder. A change is taken once it has been still for a second.

using Weir.Engine.Disk;

namespace Weir.Cli;

internal sealed class FileWatch : IDisposable
{
    private readonly Timer timer;

    public FileWatch(string path, Action changed)
    {
        var known = State(path);
        var last = known;
        timer = new Timer(
            _ =>
            {
                var now = State(path);
                if (now == last && now != known)
                {
                    known = now;
                    changed();
                }

                last = now;
            },
            null, 1_000, 1_000);
    }

    public void Dispose() => timer.Dispose();

    private static string State(string path)
    {
        try
        {
            var files = Directory.Exists(path) ? Directory.GetFiles(path).Order(StringComparer.Ordinal) : (IEnumerable<string>)[path];
            return string.Join('\n', files.Select(f => $"{f} {FileState.Of(f)}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException)
        {
            return ""; // The folder is gone, or not for the user we became: a reload would say so.
        }
    }
}
