using System.Text;
using Weir.Engine.Answers;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Engine.Answers;

public class FixedAnswerTests
{
    [Fact]
    public void Fields_replace_those_of_the_answer_itself()
    {
        var answer = new FixedAnswer(200, Text("{}"), "text/plain"u8.ToArray(), [Field("content-type", "application/json"), Field("DATE", "never"), Field("X-A", "b")]);
        var lines = Served.By(new Answering(answer), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").Split("\r\n");
        Assert.Equal(["HTTP/1.1 200 OK", "content-type: application/json", "DATE: never", "X-A: b", "Content-Length: 2", "Connection: close", "", "{}"], lines);
    }

    private static AnswerField Field(string name, string value) => new(Encoding.ASCII.GetBytes(name), Text(value));

    private static Template Text(string text) => new([new Template.Part(Placeholder.Literal, Encoding.ASCII.GetBytes(text))]);

    private sealed class Answering(Answer answer) : IExchangeHandler
    {
        public async LoopTask HandleAsync(Exchange exchange)
        {
            await answer.PrepareAsync(exchange);
            exchange.Client.StartResponse(exchange.Response, exchange.Request);
            await Relay.SendAnswerAsync(exchange, exchange.OwnBody, exchange.Client.ResponseBody);
        }
    }
}
