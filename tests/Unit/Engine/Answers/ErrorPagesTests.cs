using Weir.Engine.Answers;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Answers;

public class ErrorPagesTests
{
    [Theory]
    [InlineData(0, "1")]
    [InlineData(1_000, "1")]
    [InlineData(1_001, "2")]
    [InlineData(10_000, "10")]
    [InlineData(long.MaxValue, "9223372036854776")]
    public void A_503_says_when_to_come_again_in_whole_seconds(long milliseconds, string seconds)
    {
        var exchange = Requests.Get("/");
        exchange.RetryAfter = milliseconds;
        ErrorPages.None.Answer(exchange, 503);
        Assert.Equal([seconds], Told(exchange));
        ErrorPages.None.Answer(exchange, 502);
        Assert.Empty(Told(exchange));
        exchange.End();
    }

    private static List<string> Told(Exchange exchange)
    {
        var values = new List<string>();
        foreach (ref readonly var field in exchange.Response.Fields.Added)
        {
            if (field.Name.ToString() == "Retry-After") values.Add(field.Value.ToString());
        }

        return values;
    }
}
