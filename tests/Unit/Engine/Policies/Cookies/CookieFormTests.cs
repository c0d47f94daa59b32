using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Cookies;
using Weir.Engine.Upstreams;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Policies.Cookies;

public class CookieFormTests
{
    [Fact]
    public void The_standard_cookie_is_of_the_host_its_whole_path_and_no_script() =>
        Assert.Equal(["Set-Cookie: id=abc; Path=/; HttpOnly; SameSite=Lax", "Cache-Control: private"], Set(new CookieForm("id"), isSecure: false));

    [Fact]
    public void What_is_set_over_https_is_for_https_only() =>
        Assert.Equal("Set-Cookie: id=abc; Path=/; HttpOnly; SameSite=Lax; Secure", Set(new CookieForm("id"), isSecure: true)[0]);

    [Theory]
    [InlineData("__Host-side", "Lax", "; Secure")]
    [InlineData("__secure-side", "Strict", "; Secure")]
    [InlineData("__Hostside", "Lax", "")]
    [InlineData("side", "None", "; Secure")]
    public void What_browsers_take_only_with_Secure_has_it(string name, string sameSite, string end) =>
        Assert.Equal($"Set-Cookie: {name}=abc; Path=/; HttpOnly; SameSite={sameSite}{end}", Set(new CookieForm(name, sameSite: sameSite), isSecure: false)[0]);

    [Fact]
    public void All_of_it_may_be_said_otherwise()
    {
        Assert.Equal("Set-Cookie: id=abc; Path=/app; Domain=example.com; Max-Age=60; HttpOnly; SameSite=None; Secure", Set(new CookieForm("id", "/app", "example.com", 60, "None", CookieSecure.Always), isSecure: false)[0]);
        Assert.Equal("Set-Cookie: id=abc; Path=/; HttpOnly; SameSite=Strict", Set(new CookieForm("id", sameSite: "Strict", secure: CookieSecure.Never), isSecure: true)[0]);
    }

    [Theory]
    [InlineData("Cache-Control: no-store")]
    [InlineData("cache-control: max-age=60")]
    [InlineData("Cache-Control: ")]
    public void An_answer_that_speaks_of_caches_is_left_to_its_word(string field) => Assert.Single(Set(new CookieForm("id"), isSecure: false, field));

    [Fact]
    public void One_whose_word_an_operator_took_out_becomes_private_and_one_that_was_given_another_does_not()
    {
        var exchange = Requests.Get("/");
        Answer(exchange, null, "Cache-Control: public");
        exchange.Response.Fields.Drop(Weir.Wire.Fields.KnownField.CacheControl);
        Assert.Equal(2, Set(new CookieForm("id"), exchange).Length);
        exchange = Requests.Get("/");
        Answer(exchange, null, "Expires: 0");
        exchange.Response.Fields.Add(Weir.Wire.Fields.KnownField.CacheControl, ByteRange.Of("Cache-Control"u8.ToArray()), ByteRange.Of("no-cache"u8.ToArray()));
        Assert.Equal(2, Set(new CookieForm("id"), exchange).Length); // The other one, and the cookie.
    }

    internal static void Answer(Exchange exchange, Endpoint? by, params string[] fields)
    {
        var bytes = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{string.Concat(fields.Select(f => f + "\r\n"))}\r\n");
        var head = new ResponseHead();
        head.Clear();
        Assert.Equal(ParseStatus.Done, ResponseParser.Parse(bytes, HeadLimits.Default, KnownMethod.Get, head, out _));
        exchange.Response.Fields.Reset(bytes, 0, head.Fields);
        exchange.Place.EndpointState = by;
        exchange.Origin = by is null ? null : new Origins().Connect().Connection;
    }

    private static string[] Set(CookieForm form, bool isSecure, params string[] fields)
    {
        var exchange = Requests.Get("/");
        Answer(exchange, null, fields);
        exchange.Request.IsSecure = isSecure;
        return Set(form, exchange);
    }

    private static string[] Set(CookieForm form, Exchange exchange)
    {
        Assert.True(form.TryBegin(exchange, 3, out var value, out var field));
        "abc"u8.CopyTo(value);
        CookieForm.Add(exchange, field);
        return [.. exchange.Response.Fields.Added.ToArray().Select(a => $"{a.Name}: {a.Value}")];
    }
}
