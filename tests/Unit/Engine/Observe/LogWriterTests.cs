using System.Runtime.CompilerServices;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Observe;

namespace Weir.Tests.Unit.Engine.Observe;

public class LogWriterTests
{
    private const string Request = "GET / HTTP/1.1\r\nHost: front.example\r\nConnection: close\r\n\r\n";

    [Fact]
    public void Every_log_of_a_plan_is_written_however_many_there_are() => Served.Look(Request, exchange =>
    {
        var streams = Enumerable.Range(0, 300).Select(_ => new MemoryStream()).ToArray();
        var logs = streams.Select((s, i) => Log($"log {i}", s)).ToArray();
        using (var writer = new LogWriter(Silent()))
        {
            writer.Use(logs);
            foreach (var log in logs) log.Write(exchange);
        }

        Assert.All(streams, s => Assert.Equal("GET\n", Said(s)));
    });

    [Fact]
    public void A_log_that_left_is_written_as_long_as_somebody_may_write_and_then_let_go() => Served.Look(Request, exchange =>
    {
        using var writer = new LogWriter(Silent());
        var stream = new MemoryStream();
        var old = LeaveAndWrite(writer, exchange, stream);
        var collected = SpinWait.SpinUntil(
            () =>
            {
                GC.Collect();
                return !old.TryGetTarget(out _);
            },
            20_000);
        Assert.True(collected);
        Assert.Empty(writer.Logs);
    });

    [Fact]
    public void A_mistake_in_a_target_neither_ends_the_thread_nor_the_other_logs() => Served.Look(Request, exchange =>
    {
        var said = new MemoryStream();
        var bad = new AccessLog("bad", LogFormat.TryCompile("{method}", out _)!, new Failing(), 1);
        using (var writer = new LogWriter(new ErrorLog(new StreamTarget(said))))
        {
            writer.Use([bad]);
            bad.Write(exchange);
            Assert.True(SpinWait.SpinUntil(() => Said(said).Contains("error log: a mistake of ours", StringComparison.Ordinal), 20_000));
        }
    });

    // Not inlined: nothing here may keep the log alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference<AccessLog> LeaveAndWrite(LogWriter writer, Exchange exchange, MemoryStream stream)
    {
        var log = Log("old", stream);
        writer.Use([log]);
        writer.Use([]);
        log.Write(exchange);
        Assert.True(SpinWait.SpinUntil(() => Said(stream) == "GET\n", 20_000));
        return new WeakReference<AccessLog>(log);
    }

    private static AccessLog Log(string name, Stream stream) => new(name, LogFormat.TryCompile("{method}", out _)!, new StreamTarget(Stream.Synchronized(stream)), 1);

    private static ErrorLog Silent() => new(new StreamTarget(Stream.Null));

    private static string Said(MemoryStream stream) => Encoding.UTF8.GetString(stream.ToArray());

    private sealed class Failing : LogTarget
    {
        public override void Reopen()
        {
        }

        protected override void Write(ReadOnlySpan<byte> lines) => throw new InvalidOperationException("not foreseen");
    }
}
