using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Memory;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Engine.Exchanges;

public class RequestCopyTests
{
    [Fact]
    public void A_copy_is_what_is_sent_on_and_needs_nothing_of_the_first()
    {
        var exchange = Requests.Get("/a%20b?q=1", "Connection: X-Hop", "X-Hop: 1", "X-Kept: k", "Cookie: c", "TE: trailers");
        var fields = exchange.Request.Fields;
        fields.Drop(KnownField.Cookie);
        fields.Set(KnownField.Other, ByteRange.Of("X-Set"u8.ToArray()), ByteRange.Of("s"u8.ToArray()));
        var before = Told(exchange.Request);

        var copy = new Request();
        var pool = new BufferPool(new MemoryBudget(1 << 20));
        var scratch = new Scratch(pool);
        Assert.True(copy.TryCopy(exchange.Request, new FieldIndex(), scratch));
        fields.Bytes.AsSpan().Fill((byte)'!');
        fields.Index.Clear();
        Assert.Equal(before, Told(copy));
        Assert.Contains("X-Kept: k", before, StringComparison.Ordinal);
        Assert.Contains("X-Set: s", before, StringComparison.Ordinal);
        scratch.Clear();
        Assert.Equal(0, pool.Leased);
    }

    [Fact]
    public void Many_fields_are_copied_with_what_is_dropped_of_them()
    {
        var exchange = Requests.Get("/", [.. Enumerable.Range(0, 90).Select(i => $"X-{i}: {i}")]);
        exchange.Request.Fields.Drop(3);
        exchange.Request.Fields.Drop(80);
        var copy = new Request();
        Assert.True(copy.TryCopy(exchange.Request, new FieldIndex(), new Scratch(new BufferPool(new MemoryBudget(1 << 20)))));
        Assert.Equal(Told(exchange.Request), Told(copy));
    }

    [Fact]
    public void Without_room_there_is_no_copy()
    {
        var copy = new Request();
        Assert.False(copy.TryCopy(Requests.Get("/").Request, new FieldIndex(), new Scratch(new BufferPool(new MemoryBudget(100)))));
    }

    private static string Told(Request request)
    {
        var told = new StringBuilder($"{request.Method} {request.KnownMethod} {request.Form} {request.ForwardedPath} {request.HasForwardedQuery} {request.ForwardedQuery} {request.Path} {request.Query} {request.Authority} {request.AcceptsTrailers}\n");
        for (var i = 0; i < request.Fields.Index.Count; i++) told.Append($"{Encoding.Latin1.GetString(request.Fields.Name(i))}: {Encoding.Latin1.GetString(request.Fields.Value(i))}{(request.Fields.IsDropped(i) ? " (dropped)" : "")}\n");
        foreach (ref readonly var field in request.Fields.Added) told.Append($"+ {field.Name}: {field.Value}\n");
        return told.ToString();
    }
}
