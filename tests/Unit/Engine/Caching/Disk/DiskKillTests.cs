// A process that stores and removes is killed, again and again, in the middle of it. Each time, what it knew to be stored is
// there, what it knew to be removed is not, and nothing is there that it has not written.

using System.Diagnostics;
using Weir.Engine.Caching.Disk;
using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public sealed class DiskKillTests
{
    private const string FolderVariable = "WEIR_TEST_CACHE_FOLDER";
    private const int Flows = 4;
    private const int Hashes = 16;

    private static int Rounds => Environment.GetEnvironmentVariable("WEIR_LONG") is { Length: > 0 } ? 100 : 4;

    [Fact]
    public async Task What_was_stored_survives_a_kill_and_what_was_removed_does_not()
    {
        using var rig = new DiskRig();
        var logs = Directory.CreateTempSubdirectory("weir-cache-log-").FullName;
        var random = new Random(3);
        var survivors = 0L;
        // What each hash may be by all rounds so far: versions, 0 for nothing.
        var may = Enumerable.Range(0, Flows * Hashes).ToDictionary(static h => h, static _ => new HashSet<int> { 0 });
        try
        {
            for (var round = 1; round <= Rounds; round++)
            {
                await RunAndKillAsync(rig.Path, Path.Combine(logs, $"{round}"), random.Next(20, 400));
                for (var flow = 0; flow < Flows; flow++) Follow(may, Path.Combine(logs, $"{round}-{flow}"));
                using var store = rig.Open();
                Check(rig, store, may);
                rig.Work();
                Assert.True(store.IsLoaded && store.Housework.IsSettled);
                Check(rig, store, may);
                survivors += store.Entries;
                Assert.Equal(store.Entries, Directory.GetFiles(rig.Path, "*", SearchOption.AllDirectories).Count(f => Path.GetFileName(f).Length == 30));
                Assert.Empty(Directory.GetFiles(rig.Folder.Aside));
                store.Dispose();
                rig.Work();
            }
        }
        finally
        {
            Directory.Delete(logs, recursive: true);
        }

        Assert.True(survivors > Rounds * 5, $"{survivors} survivors");
    }

    /// <summary>The process that is killed; run by the test above.</summary>
    [Fact(Explicit = true)]
    public void The_process_that_is_killed()
    {
        var (folder, log) = (Environment.GetEnvironmentVariable(FolderVariable)!.Split('|')[0], Environment.GetEnvironmentVariable(FolderVariable)!.Split('|')[1]);
        var store = DiskStore.Open(new DiskStoreSettings(folder, 1 << 30, 1 << 15, static _ => { }), out var trouble) ?? throw new InvalidOperationException(trouble);
        var flows = Enumerable.Range(0, Flows).Select(flow => new Thread(() => StoreAndRemove(store, flow, $"{log}-{flow}"))).ToList();
        flows.ForEach(static f => f.Start());
        flows.ForEach(static f => f.Join());
    }

    private static async Task RunAndKillAsync(string folder, string log, int lines)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(DiskKillTests).Assembly.Location);
        foreach (var argument in new[] { "-explicit", "only", "-method", $"{typeof(DiskKillTests).FullName}.{nameof(The_process_that_is_killed)}" }) start.ArgumentList.Add(argument);
        start.Environment[FolderVariable] = $"{folder}|{log}";
        using var child = Process.Start(start)!;
        var output = child.StandardOutput.ReadToEndAsync();
        try
        {
            while (!child.HasExited && Enumerable.Range(0, Flows).Sum(f => File.Exists($"{log}-{f}") ? new FileInfo($"{log}-{f}").Length : 0) < lines * 10) await Task.Delay(1);
        }
        finally
        {
            var ended = child.HasExited;
            child.Kill();
            await child.WaitForExitAsync();
            Assert.False(ended, await output);
        }
    }

    // One after the other: before each, what is begun is written down, and after it, that it is done.
    private static void StoreAndRemove(DiskStore store, int flow, string log)
    {
        var loop = new Loop(new ManualPoller());
        var buffers = new BufferPool(new MemoryBudget(1 << 26));
        using var lines = new FileStream(log, FileMode.Create, FileAccess.Write, FileShare.Read, 0);
        var random = new Random(flow + Environment.ProcessId);
        for (var version = 1; ; version++)
        {
            var hash = (flow * Hashes) + random.Next(Hashes);
            var id = (Environment.ProcessId << 12) | (version & 0xfff);
            if (random.Next(4) == 0)
            {
                lines.Write(DiskRig.Bytes($"- {hash} 0\n"));
                if (store.Remove(loop, (UInt128)hash) is not { } removal) continue;
                while (!removal.Done.IsSet) loop.Turn(false);
                if (removal.Trouble is null) lines.Write(DiskRig.Bytes($"= {hash} 0\n"));
                continue;
            }

            lines.Write(DiskRig.Bytes($"- {hash} {id}\n"));
            var write = store.TryBegin(loop, buffers, (UInt128)hash, DiskRig.Bytes($"key {hash}"))!;
            var body = DiskRig.Body(LengthOf(id), id);
            if (!write.TryWrite(body) || !write.TryCommit(DiskRig.Bytes($"{id}"), new DiskFacts(long.MaxValue, 0, 0))) throw new InvalidOperationException("not taken");
            while (!write.IsEnded) loop.Turn(false);
            if (write.IsStored) lines.Write(DiskRig.Bytes($"= {hash} {id}\n"));
        }
    }

    private static int LengthOf(int id) => id % 5 == 0 ? 300_000 : id % 7000;

    // What is done is so; what was begun may be, or the entry is lost.
    private static void Follow(Dictionary<int, HashSet<int>> may, string log)
    {
        if (!File.Exists(log)) return;
        var text = File.ReadAllText(log);
        foreach (var line in text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = line.Split(' ');
            var (hash, version) = (int.Parse(parts[1]), int.Parse(parts[2]));
            if (parts[0] == "=") may[hash] = [version];
            else may[hash].UnionWith([version, 0]);
        }
    }

    private static void Check(DiskRig rig, DiskStore store, Dictionary<int, HashSet<int>> may)
    {
        foreach (var (hash, versions) in may)
        {
            using var read = store.TryRead(rig.Loop, rig.Buffers, (UInt128)hash, DiskRig.Bytes($"key {hash}"));
            rig.Work();
            var version = read is { IsHit: true } ? int.Parse(read.Head) : 0;
            Assert.True(versions.Contains(version), $"{hash} is {version} and may be {string.Join(", ", versions)}");
            may[hash] = [version];
            if (version == 0) continue;
            using var source = read!.IsWhole ? null : read.Source(0, read.BodyLength);
            Assert.Equal(DiskRig.Body(LengthOf(version), version), source is null ? read.Body.ToArray() : rig.Drain(source)!);
        }
    }
}
