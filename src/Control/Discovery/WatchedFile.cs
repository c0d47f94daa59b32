// Looks at a file of endpoints twice a second, and takes it once it has been still for as long: looking works on every file
// system, for every way of saving, and through links that are switched to another folder, where being told of changes does not.
// What is told wrong is asked again now and then: a name may be resolved again, though the file is the same.

using Weir.Control.Configuration;
using Weir.Engine.Disk;

namespace Weir.Control.Discovery;

/// <summary>Feeds a source from a file. On a thread of the pool, one look at a time.</summary>
public sealed class WatchedFile : IDisposable
{
    /// <summary>Between two looks, in ms.</summary>
    public const int LookEvery = 500;

    private const int LooksBeforeRetry = 20;

    private readonly string path;
    private readonly Source source;
    private readonly Timer timer;
    private string? taken; // The state whose contents were read; null: none yet.
    private string? last;
    private bool isGood;
    private int looks;
    private int looking;

    private WatchedFile(string path, Source source)
    {
        (this.path, this.source) = (path, source);
        timer = new Timer(_ => Look(), null, LookEvery, LookEvery);
    }

    /// <summary>The source that a file is, with what it held when the configuration was read.</summary>
    public static SourcePlan Plan(string path, IReadOnlyList<Member> found) => new($"file {path}", "", source => new WatchedFile(path, source)) { Initial = found };

    public void Dispose() => timer.Dispose();

    private void Look()
    {
        if (Interlocked.Exchange(ref looking, 1) != 0) return; // A file system that does not answer holds one thread, not all.
        try
        {
            var now = FileState.Of(path);
            var isStill = now == last;
            last = now;
            if (!isStill) return;
            if (now == taken && isGood) source.Confirmed();
            else if (now != taken || ++looks >= LooksBeforeRetry) Take(now);
        }
#pragma warning disable CA1031 // The root of a background task: whatever a file brings about, its last good list stays.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            source.Failed($"a mistake of ours: {bug.Message}");
        }
        finally
        {
            Volatile.Write(ref looking, 0);
        }
    }

    private void Take(string state)
    {
        (taken, looks, isGood) = (state, 0, false);
        var diagnostics = new Diagnostics();
        var endpoints = EndpointFile.Read(path, new Position(path, 0, 0), diagnostics);
        var members = endpoints is null ? [] : source.Of.Declared(endpoints, diagnostics);
        if (!diagnostics.HasErrors) isGood = source.Succeeded(members);
        else source.Failed(Words(diagnostics));
    }

    private static string Words(Diagnostics diagnostics)
    {
        var first = diagnostics.All.First(d => d.IsError);
        return $"{first.At}: {first.Text}{(diagnostics.Errors > 1 ? $" (and {diagnostics.Errors - 1} more)" : "")}";
    }
}
