// Who wants the file: asks for it over one connection, and where that breaks, for the rest over the next. Every byte is looked at.

using System.Globalization;
using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Wire.Http1;

namespace Weir.Control.Laboratory;

internal sealed class LabClient(Loop loop, Network network, NetworkAddress server, long size, Func<long> clock)
{
    // Before it asks again.
    private const long Pause = 1_000;
    private const int MostTries = 10_000;

    // Points of the picture's line.
    private const int MostSamples = 2_000;

    private readonly List<(long At, long Bytes)> progress = [];
    private long started;

    public long Got { get; private set; }

    /// <summary>Microseconds from the first step to the last byte; 0: it has not come.</summary>
    public long Total { get; private set; }

    /// <summary>Microseconds from the first step to the first byte of an answer; 0: none has come.</summary>
    public long FirstByte { get; private set; }

    /// <summary>Times that it had to ask for the rest.</summary>
    public int Breaks { get; private set; }

    public bool IsDone { get; private set; }

    /// <summary>Why it has given up; null: it has not.</summary>
    public string? Trouble { get; private set; }

    /// <summary>When there was how much.</summary>
    public IReadOnlyList<(long At, long Bytes)> Progress => progress;

    public async LoopTask RunAsync()
    {
        started = clock();
        var waiter = new Waiter(loop);
        for (var i = 0; i < MostTries && Got < size && Trouble is null; i++)
        {
            if (i > 0)
            {
                Breaks++;
                await waiter.Until(loop.Now + Pause);
            }

            await AskAsync();
        }

        if (Got < size) Trouble ??= $"the file did not come in {MostTries} tries";
        Total = clock() - started;
        IsDone = true;
    }

    private async LoopTask AskAsync()
    {
        if (network.Connect(server, out _) is not { } transport) return;
        var waiter = new Waiter(loop);
        await waiter.FirstOf(transport.Writable, long.MaxValue);
        if (transport.ConnectError() == 0) await FetchAsync(new Conversation(transport));
        transport.Close();
    }

    private async LoopTask FetchAsync(Conversation talk)
    {
        var rest = Got == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"Range: bytes={Got}-\r\nIf-Range: {LabFile.Tag}\r\n");
        var head = new ResponseHead();
        if (!await talk.SendAsync(Encoding.ASCII.GetBytes($"GET {LabFile.Path} HTTP/1.1\r\nHost: lab\r\n{rest}Connection: close\r\n\r\n")) || !await talk.HeadAsync(head)) return;
        talk.Use(head.Length);
        // A gateway's own refusal: it may do better the next time.
        if (head.Status >= 500) return;
        if (head.Framing != BodyFraming.Length || head.ContentLength != size - Got || head.Status != (Got == 0 ? 200 : 206))
        {
            Trouble = string.Create(CultureInfo.InvariantCulture, $"after {Got} bytes came an answer with status {head.Status} and {head.ContentLength} bytes");
            return;
        }

        if (FirstByte == 0) FirstByte = clock() - started;
        while (Got < size)
        {
            if (talk.Buffered.IsEmpty && !await talk.FillAsync()) return;
            if (!LabFile.Holds(Got, talk.Buffered))
            {
                Trouble = string.Create(CultureInfo.InvariantCulture, $"wrong bytes after {Got}");
                return;
            }

            Got += talk.Buffered.Length;
            talk.Use(talk.Buffered.Length);
            if (progress.Count == 0 || Got == size || Got - progress[^1].Bytes >= size / MostSamples) progress.Add((clock() - started, Got));
        }
    }
}
