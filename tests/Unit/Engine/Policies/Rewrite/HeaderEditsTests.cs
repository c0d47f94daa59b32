using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Rewrite;

namespace Weir.Tests.Unit.Engine.Policies.Rewrite;

public class HeaderEditsTests
{
    // There is no client's certificate: nobody may say that there was one.
    [Theory]
    [InlineData("Client-Cert: :AAAA:")]
    [InlineData("client-cert: :AAAA:")]
    [InlineData("Client_Cert: :AAAA:")]
    [InlineData("Client-Cert:")]
    public void A_field_that_is_set_to_nothing_is_left_out_and_the_clients_own_with_it(string sent) =>
        Assert.Equal([], Apply([Edit("Client-Cert", new Template.Part(Placeholder.Tls, [], 9))], [], sent, sent));

    [Fact]
    public void So_is_one_that_is_added_and_then_the_clients_own_stays() =>
        Assert.Equal(["x-a: b"], Apply([], [Edit("x-a", new Template.Part(Placeholder.Header, "x-none"u8.ToArray()))], "x-a: b"));

    [Fact]
    public void What_is_written_empty_is_sent_empty() =>
        Assert.Equal(["x-a: ", "x-b: "], Apply([Edit("x-a", new Template.Part(Placeholder.Literal, []))], [Edit("x-b")], "x-a: b"));

    [Fact]
    public void Where_one_placeholder_of_several_has_something_it_is_set() =>
        Assert.Equal(["x-a: b"], Apply([Edit("x-a", new Template.Part(Placeholder.Tls, [], 4), new Template.Part(Placeholder.Header, "x-b"u8.ToArray()))], [], "x-a: c", "x-b: b")[1..]);

    private static FieldEdit Edit(string name, params Template.Part[] parts) => new(Encoding.ASCII.GetBytes(name), new Template(parts));

    // What is sent on, but for Host.
    private static string[] Apply(FieldEdit[] set, FieldEdit[] add, params string[] sent)
    {
        var exchange = Requests.Get("/", sent);
        var fields = exchange.Request.Fields;
        Assert.True(new HeaderEdits([], set, add).Apply(exchange, fields));
        var all = new List<string>();
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (!fields.IsDropped(i)) all.Add($"{Encoding.Latin1.GetString(fields.Name(i))}: {Encoding.Latin1.GetString(fields.Value(i))}");
        }

        foreach (ref readonly var one in fields.Added) all.Add($"{Encoding.Latin1.GetString(one.Name.Span)}: {Encoding.Latin1.GetString(one.Value.Span)}");
        return [.. all.Where(static f => !f.StartsWith("Host:", StringComparison.Ordinal))];
    }
}
