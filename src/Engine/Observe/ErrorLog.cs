// What the program has to say about itself: lines with a level, an area and a text. A line that repeats is gathered. Any
// thread may write; the log writer's thread puts it out.

using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Weir.Engine.Observe;

/// <summary>How grave a line is.</summary>
public enum LogLevel : byte
{
    Debug,
    Info,
    Warn,
    Error,
}

/// <summary>The error log.</summary>
/// <param name="target">Where lines go.</param>
/// <param name="clock">Milliseconds that never go back, for gathering; null: the system's.</param>
public sealed class ErrorLog(LogTarget target, Func<long>? clock = null)
{
    // Lines waiting to be written; beyond that they are dropped and counted.
    private const int MostWaiting = 4096;

    // A line that repeats within this time is counted instead of written.
    private const long GatherFor = 10_000;

    private readonly ConcurrentQueue<Line> waiting = new();
    private readonly Dictionary<(string Area, string Text), Repeats> recent = [];
    private readonly Func<long> clock = clock ?? (static () => Environment.TickCount64);
    private int count;
    private long dropped;

    public LogTarget Target { get; set; } = target;

    /// <summary>Graver lines and these are written.</summary>
    public LogLevel Level { get; set; } = LogLevel.Info;

    /// <summary>Lines dropped because too many waited. Any thread.</summary>
    public long Dropped => Volatile.Read(ref dropped);

    public void Debug(string area, string text) => Write(LogLevel.Debug, area, text);

    public void Info(string area, string text) => Write(LogLevel.Info, area, text);

    public void Warn(string area, string text) => Write(LogLevel.Warn, area, text);

    public void Error(string area, string text) => Write(LogLevel.Error, area, text);

    /// <summary>What somebody did on purpose, as a reload: told each time, however soon it is done again.</summary>
    public void Deed(LogLevel level, string area, string text) => Write(level, area, text, isGathered: false);

    public void Write(LogLevel level, string area, string text) => Write(level, area, text, isGathered: true);

    private void Write(LogLevel level, string area, string text, bool isGathered)
    {
        if (level < Level) return;
        if (Interlocked.Increment(ref count) > MostWaiting)
        {
            Interlocked.Decrement(ref count);
            Interlocked.Increment(ref dropped);
            return;
        }

        waiting.Enqueue(new Line(DateTime.UtcNow, level, area, text, isGathered));
    }

    /// <summary>Puts out what waits: for the writer thread.</summary>
    /// <param name="last">Nobody will look again: what was gathered is told now.</param>
    internal int Drain(bool last = false)
    {
        var written = 0;
        while (waiting.TryDequeue(out var line))
        {
            Interlocked.Decrement(ref count);
            if (line.IsGathered && Gather(line)) continue;
            Put(line, line.Text);
            written++;
        }

        written += TellRepeats(last ? long.MaxValue : clock());
        if (written > 0) Target.Flush();
        return written;
    }

    private bool Gather(Line line)
    {
        var key = (line.Area, line.Text);
        if (recent.TryGetValue(key, out var repeats))
        {
            repeats.Count++;
            return true;
        }

        if (recent.Count < MostWaiting) recent[key] = new Repeats { First = line, Until = clock() + GatherFor };
        return false;
    }

    private int TellRepeats(long now)
    {
        if (recent.Count == 0) return 0;
        var told = 0;
        foreach (var (key, repeats) in recent)
        {
            if (now < repeats.Until) continue;
            recent.Remove(key);
            if (repeats.Count == 0) continue;
            Put(repeats.First with { Time = DateTime.UtcNow }, $"{key.Text} (repeated {repeats.Count} times)");
            told++;
        }

        return told;
    }

    private void Put(Line line, string text)
    {
        var level = line.Level switch { LogLevel.Debug => "debug", LogLevel.Info => "info", LogLevel.Warn => "warn", _ => "error" };
        var time = line.Time.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        Target.Append(Encoding.UTF8.GetBytes($"{time} {level} {line.Area}: {text.ReplaceLineEndings(" ")}\n"));
    }

    private sealed record Line(DateTime Time, LogLevel Level, string Area, string Text, bool IsGathered);

    private sealed class Repeats
    {
        public required Line First;
        public required long Until;
        public int Count;
    }
}
