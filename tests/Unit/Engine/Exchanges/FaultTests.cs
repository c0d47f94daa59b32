using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Observe;

namespace Weir.Tests.Unit.Engine.Exchanges;

public class FaultTests
{
    // Cause → status where it is the client's, the origin's, the proxy's own.
    private static readonly Dictionary<FaultCause, (int Client, int Origin, int Proxy)> Statuses = new()
    {
        [FaultCause.None] = (0, 0, 0),
        [FaultCause.Malformed] = (400, 502, 400),
        [FaultCause.UnsupportedVersion] = (505, 502, 505),
        [FaultCause.UnknownCoding] = (501, 502, 501),
        [FaultCause.UnknownContentCoding] = (415, 415, 415),
        [FaultCause.UnknownMethod] = (501, 501, 501),
        [FaultCause.UnknownExpectation] = (417, 417, 417),
        [FaultCause.TargetTooLong] = (414, 414, 414),
        [FaultCause.HeadTooLarge] = (431, 502, 431),
        [FaultCause.BodyTooLarge] = (413, 502, 413),
        [FaultCause.LengthRequired] = (411, 411, 411),
        [FaultCause.UnsafePath] = (400, 400, 400),
        [FaultCause.Misdirected] = (421, 421, 421),
        [FaultCause.NoRoute] = (404, 404, 404),
        [FaultCause.Loop] = (508, 508, 508),
        [FaultCause.Timeout] = (408, 504, 408),
        [FaultCause.TooSlow] = (408, 504, 408),
        [FaultCause.Closed] = (0, 502, 502),
        [FaultCause.StaleConnection] = (502, 502, 502),
        [FaultCause.Refused] = (502, 502, 502),
        [FaultCause.ConnectTimeout] = (504, 504, 504),
        [FaultCause.Untrusted] = (502, 502, 502),
        [FaultCause.TlsFailed] = (502, 502, 502),
        [FaultCause.WrongDigest] = (502, 502, 502),
        [FaultCause.NoEndpoint] = (503, 503, 503),
        [FaultCause.BreakerOpen] = (503, 503, 503),
        [FaultCause.NotCached] = (504, 504, 504),
        [FaultCause.QueueFull] = (503, 503, 503),
        [FaultCause.QueueTimeout] = (503, 503, 503),
        [FaultCause.Exhausted] = (503, 503, 503),
        [FaultCause.Stopping] = (503, 503, 503),
        [FaultCause.Internal] = (500, 500, 500),
    };

    [Fact]
    public void Every_fault_has_its_status_and_an_ending_that_the_reference_explains()
    {
        foreach (var cause in Enum.GetValues<FaultCause>())
        {
            foreach (var side in Enum.GetValues<Side>())
            {
                foreach (var stage in Enum.GetValues<Stage>())
                {
                    var fault = new Fault(cause, side, stage);
                    var (client, origin, proxy) = Statuses[cause];
                    Assert.Equal(side switch { Side.Client => client, Side.Origin => origin, _ => proxy }, fault.Status);
                    if (fault.Status != 0) Assert.False(Reasons.Of(fault.Status).IsEmpty, $"{fault.Status} has no reason phrase");

                    var ending = Ending.Of(fault);
                    Assert.Contains(ending.Who, Ending.Parties.Select(p => p.Letter));
                    Assert.Contains(ending.When, Ending.Phases.Select(p => p.Letter));
                    if (cause == FaultCause.None) Assert.Equal("--", ending.ToString());
                    else Assert.Equal("HRQCSWDT"[(int)stage], ending.When);
                }
            }
        }
    }

    [Fact]
    public void The_first_letter_tells_whose_it_is_and_whether_a_time_ran_out()
    {
        foreach (var cause in Enum.GetValues<FaultCause>().Where(c => c != FaultCause.None))
        {
            var late = cause is FaultCause.Timeout or FaultCause.TooSlow or FaultCause.ConnectTimeout or FaultCause.QueueTimeout;
            Assert.Equal(late ? 'c' : 'C', Ending.Of(new Fault(cause, Side.Client, Stage.Head)).Who);
            Assert.Equal(late ? 'o' : 'O', Ending.Of(new Fault(cause, Side.Origin, Stage.Wait)).Who);
            Assert.Equal(late ? 'p' : 'P', Ending.Of(new Fault(cause, Side.Proxy, Stage.Policy)).Who);
        }
    }

    [Fact]
    public void Letters_are_explained_once()
    {
        Assert.Equal(Ending.Parties.Length, Ending.Parties.Select(p => p.Letter).Distinct().Count());
        Assert.Equal(Ending.Phases.Length, Ending.Phases.Select(p => p.Letter).Distinct().Count());
    }

    [Fact]
    public void A_client_keeps_its_connection_only_where_its_request_was_read_to_its_end()
    {
        foreach (var cause in Enum.GetValues<FaultCause>())
        {
            Assert.Equal(cause is not (FaultCause.Misdirected or FaultCause.NoRoute) && cause != FaultCause.None, cause != FaultCause.None && new Fault(cause, Side.Client, Stage.Head).ClosesClient);
            Assert.Equal(cause is FaultCause.Stopping or FaultCause.Internal, new Fault(cause, Side.Origin, Stage.Relay).ClosesClient);
            Assert.Equal(cause is FaultCause.Stopping or FaultCause.Internal, new Fault(cause, Side.Proxy, Stage.Relay).ClosesClient);
        }
    }
}
