using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Engine.Http1;

public sealed class BodyBufferTests
{
    [Theory]
    [InlineData("Content-Length: 100000", "")]
    [InlineData("Transfer-Encoding: chunked", "186A0\r\n")]
    public void Nothing_but_the_head_is_held_while_a_body_is_waited_for(string framing, string start)
    {
        var reading = new Reading(20_000);
        Served.By(reading, $"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}\r\n\r\n{start}{new string('x', 20_000)}");
        Assert.Equal(1, reading.MostHeld);
    }

    private sealed class Reading(int until) : IExchangeHandler
    {
        public int MostHeld { get; private set; }

        public async LoopTask HandleAsync(Exchange exchange)
        {
            var body = exchange.Client.RequestBody;
            for (var read = 0; read < until;)
            {
                while (body.TryRead(out var piece) == BodyStatus.Piece)
                {
                    read += piece.Length;
                    body.Advance(piece.Length);
                }

                MostHeld = Math.Max(MostHeld, exchange.Buffers.Leased);
                await exchange.Flow.FirstOf(body.Ready, exchange.Loop.Now + 100);
            }

            exchange.Client.Abort();
        }
    }
}
