// An origin that is asked how it is, and what is wrong with it.

using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

/// <summary>What an origin does with whoever connects.</summary>
public enum Illness
{
    None,

    /// <summary>Answers 503.</summary>
    Busy,

    /// <summary>Takes the connection and says nothing.</summary>
    Hangs,

    /// <summary>Lets nobody connect.</summary>
    Refuses,

    /// <summary>Never completes a connection.</summary>
    Vanished,

    /// <summary>Breaks the connection when it has read the request.</summary>
    Resets,

    /// <summary>Ends the connection when it has read the request.</summary>
    Ends,

    /// <summary>Ends the connection within its head.</summary>
    EndsWithinHead,

    /// <summary>A byte now and then.</summary>
    Drips,

    /// <summary>Says that it is at work, again and again.</summary>
    Promises,

    /// <summary>Speaks another protocol.</summary>
    Babbles,

    /// <summary>Answers 200, but not what is asked for.</summary>
    Confused,

    /// <summary>Answers 200, and its body breaks off.</summary>
    Cut,

    /// <summary>Answers 200, and its body does not come.</summary>
    Forgets,
}

internal sealed class Patient
{
    private readonly EngineWorld world;
    private readonly SimulatedListenSocket socket;

    public Patient(EngineWorld world, int index)
    {
        this.world = world;
        socket = world.OriginSockets[index];
        world.Accept(socket, transport => ServeAsync(new Stream(transport)).Detach());
    }

    public Illness Illness { get; set; }

    /// <summary>What it answers while it is well.</summary>
    public byte[] Answer { get; set; } = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nall is well now"u8.ToArray();

    /// <summary>When it was connected to, in ms.</summary>
    public List<long> Visits { get; } = [];

    /// <summary>The last request's head.</summary>
    public string Heard { get; private set; } = "";

    /// <summary>Connections that have not ended on its side.</summary>
    public int Open { get; private set; }

    private async LoopTask ServeAsync(Stream stream)
    {
        Open++;
        Visits.Add(world.OriginLoop.Now);
        await AnswerAsync(stream);
        while (await stream.FillAsync()) stream.Use(stream.Buffered.Length);
        stream.Transport.Close();
        Open--;
    }

    private async LoopTask AnswerAsync(Stream stream)
    {
        while (stream.Buffered.IndexOf("\r\n\r\n"u8) < 0)
        {
            if (!await stream.FillAsync()) return;
        }

        Heard = Encoding.ASCII.GetString(stream.Buffered);
        stream.Use(stream.Buffered.Length);
        switch (Illness)
        {
            case Illness.None:
                await stream.SendAsync(Answer);
                break;
            case Illness.Busy:
                await stream.SendAsync("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
                break;
            case Illness.Resets:
                stream.Transport.Close(reset: true);
                break;
            case Illness.Ends:
                stream.Transport.Close();
                break;
            case Illness.EndsWithinHead:
                await stream.SendAsync("HTTP/1.1 200 O"u8.ToArray());
                stream.Transport.Close();
                break;
            case Illness.Drips:
                foreach (var one in Answer)
                {
                    if (stream.Transport.Gone.IsSet || !await stream.SendAsync([one])) return;
                    await stream.PauseAsync(300);
                }

                break;
            case Illness.Promises:
                while (!stream.Transport.Gone.IsSet && await stream.SendAsync("HTTP/1.1 102 Processing\r\n\r\n"u8.ToArray())) await stream.PauseAsync(300);
                break;
            case Illness.Babbles:
                await stream.SendAsync("220 mail.example.com ESMTP\r\n"u8.ToArray());
                break;
            case Illness.Confused:
                await stream.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\nwe are upgrading"u8.ToArray());
                break;
            case Illness.Cut:
                await stream.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nall i"u8.ToArray());
                stream.Transport.Close();
                break;
            case Illness.Forgets:
                await stream.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nall i"u8.ToArray());
                break;
        }
    }
}
