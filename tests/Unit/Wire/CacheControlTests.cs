using System.Text;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Wire;

public sealed class CacheControlTests
{
    private static CacheControl Read(params string[] lines)
    {
        CacheControl control = default;
        foreach (var line in lines) control.Read(Encoding.Latin1.GetBytes(line));
        return control;
    }

    private static (bool IsSound, CacheControl Control) Targeted(params string[] lines)
    {
        CacheControl control = default;
        var isSound = true;
        foreach (var line in lines) isSound &= control.TryReadTargeted(Encoding.Latin1.GetBytes(line));
        return (isSound, control);
    }

    [Theory]
    [InlineData("max-age=3600", 3600L)]
    [InlineData("MaX-aGe=3600", 3600L)]
    [InlineData("max-age=\"3600\"", 3600L)] // Both forms are read, whichever a directive is defined with (RFC 9111 §5.2).
    [InlineData("max-age=003600", 3600L)]
    [InlineData("foobar, max-age=3600", 3600L)]
    [InlineData(" ,, foo=\"a, b\" , max-age=3600 ,", 3600L)]
    [InlineData("max-age=2147483647", 2147483647L)]
    [InlineData("max-age=2147483648", 2147483648L)]
    [InlineData("max-age=2147483649", 2147483648L)] // RFC 9111 §1.2.2
    [InlineData("max-age=99999999999", 2147483648L)]
    [InlineData("max-age=999999999999999999999999999999", 2147483648L)]
    [InlineData("max-age=000000000000000000000000000001", 1L)]
    [InlineData("max-age", 0L)] // What makes no sense is stale (RFC 9111 §4.2.1).
    [InlineData("max-age=", 0L)]
    [InlineData("max-age=-3600", 0L)]
    [InlineData("max-age='3600'", 0L)]
    [InlineData("max-age=3600.0", 0L)]
    [InlineData("max-age=a3600", 0L)]
    [InlineData("max-age=3600a", 0L)]
    [InlineData("max-age =3600", 0L)]
    [InlineData("max-age= 3600", 0L)]
    [InlineData("max-age=\"36\\00\"", 0L)]
    [InlineData("max-age=\"3600", 0L)]
    [InlineData("max-age=3600;a=b", 0L)]
    [InlineData("max-age=3600, max-age=1800", 1800L)]
    [InlineData("max-age=1800, max-age=3600", 1800L)]
    [InlineData("max-age=1800, max-age=x", 0L)]
    [InlineData("extension=\"max-age=3600\", max-age=1", 1L)]
    [InlineData("max-age=1, extension=\"max-age=3600\"", 1L)]
    [InlineData("extension=\"max-age=3600\"", null)]
    [InlineData("extension=\"a\\\", max-age=3600\"", null)]
    [InlineData("x-max-age=3600", null)]
    [InlineData("max-age2=3600", null)]
    [InlineData("", null)]
    public void Lifetimes_are_read(string line, long? seconds) => Assert.Equal(seconds, Read(line).MaxAge);

    [Fact]
    public void Lines_add_up()
    {
        var control = Read("max-age=10, s-maxage=20", "stale-while-revalidate=30, stale-if-error=40", "max-age=5, must-revalidate");
        Assert.Equal((5, 20, 30, 40), (control.MaxAge, control.SharedMaxAge, control.StaleWhileRevalidate, control.StaleIfError));
        Assert.True(control.Has(CacheDirectives.MustRevalidate));
        Assert.False(control.Has(CacheDirectives.NoStore | CacheDirectives.Public));
    }

    [Theory]
    [InlineData("no-store", CacheDirectives.NoStore)]
    [InlineData("No-StOrE", CacheDirectives.NoStore)]
    [InlineData("no-store=\"x\"", CacheDirectives.NoStore)]
    [InlineData("no-store=", CacheDirectives.NoStore)]
    [InlineData("no-cache", CacheDirectives.NoCache)]
    [InlineData("no-cache=\"a, b\"", CacheDirectives.NoCacheFields)]
    [InlineData("no-cache=a", CacheDirectives.NoCacheFields)]
    [InlineData("no-cache=\"\"", CacheDirectives.NoCache)]
    [InlineData("no-cache=", CacheDirectives.NoCache)]
    [InlineData("no-cache=\"a b\"", CacheDirectives.NoCache)]
    [InlineData("no-cache=\"a", CacheDirectives.NoCache)]
    [InlineData("no-cache= a", CacheDirectives.NoCache)]
    [InlineData("no-cache, no-cache=\"a\"", CacheDirectives.NoCache | CacheDirectives.NoCacheFields)]
    [InlineData("private", CacheDirectives.Private)]
    [InlineData("private=\"Set-Cookie\"", CacheDirectives.PrivateFields)]
    [InlineData("private=\"Set Cookie\"", CacheDirectives.Private)]
    [InlineData("public", CacheDirectives.Public)]
    [InlineData("public=1", CacheDirectives.None)]
    [InlineData("must-revalidate", CacheDirectives.MustRevalidate)]
    [InlineData("must-revalidate=1", CacheDirectives.MustRevalidate)]
    [InlineData("proxy-revalidate", CacheDirectives.ProxyRevalidate)]
    [InlineData("must-understand, no-store", CacheDirectives.MustUnderstand | CacheDirectives.NoStore)]
    [InlineData("no-transform", CacheDirectives.NoTransform)]
    [InlineData("immutable", CacheDirectives.Immutable)]
    [InlineData("immutable=1", CacheDirectives.None)]
    [InlineData("only-if-cached", CacheDirectives.OnlyIfCached)]
    [InlineData("max-stale", CacheDirectives.AnyStale)]
    [InlineData("max-stale=1", CacheDirectives.None)]
    [InlineData("extension=\"no-store\"", CacheDirectives.None)]
    [InlineData("extension=\"x, no-store", CacheDirectives.NoStore)]
    [InlineData("extension=\"x, private, no-cache", CacheDirectives.Private | CacheDirectives.NoCache)]
    [InlineData("nostore", CacheDirectives.None)]
    public void Directives_are_read(string line, CacheDirectives expected)
    {
        var control = Read(line);
        foreach (var one in Enum.GetValues<CacheDirectives>()) Assert.Equal(expected.HasFlag(one) && one != CacheDirectives.None, control.Has(one));
    }

    [Theory]
    [InlineData("max-stale=10, max-stale=5", 5L, null)]
    [InlineData("max-stale=x", 0L, null)]
    [InlineData("min-fresh=10, min-fresh=20", null, 20L)]
    [InlineData("min-fresh=20, min-fresh=10", null, 20L)]
    [InlineData("min-fresh=x", null, 0L)]
    public void Request_directives_are_read(string line, long? maxStale, long? minFresh)
    {
        var control = Read(line);
        Assert.Equal((maxStale, minFresh), (control.MaxStale, control.MinFresh));
    }

    [Theory]
    [InlineData("no-cache=\"a, b\"", "A", true)]
    [InlineData("no-cache=\"a, b\"", "b", true)]
    [InlineData("no-cache=\"a, b\"", "c", false)]
    [InlineData("max-age=1, private=\"Set-Cookie\"", "set-cookie", true)]
    [InlineData("PRIVATE=set-cookie", "set-cookie", true)]
    [InlineData("extension=\"a\"", "a", false)]
    [InlineData("extension=\"no-cache=a\"", "a", false)]
    [InlineData("no-cache", "a", false)]
    public void Fields_are_nominated(string line, string field, bool isNominated) =>
        Assert.Equal(isNominated, CacheControl.Nominates(Encoding.ASCII.GetBytes(line), Encoding.ASCII.GetBytes(field)));

    [Theory]
    [InlineData("max-age=3600", 3600L)]
    [InlineData("  max-age=3600;a;b=\"c\" , foo  ", 3600L)]
    [InlineData("max-age=1, max-age=3600", 3600L)] // The last counts (RFC 8941 §4.2.2).
    [InlineData("max-age=3600, max-age=1", 1L)]
    [InlineData("max-age=99999999999", 2147483648L)]
    [InlineData("max-age=-1", 0L)]
    [InlineData("max-age=\"3600\"", 0L)] // Another type is no lifetime.
    [InlineData("max-age=3600.0", 0L)]
    [InlineData("max-age=a", 0L)]
    [InlineData("max-age", 0L)]
    [InlineData("max-age=(1 2)", 0L)]
    [InlineData("max-age=?1", 0L)]
    [InlineData("foo=:YWJj:, bar=(a \"b\";c=1 2.5);d, max-age=5", 5L)]
    [InlineData("foo=?0, max-age=5;x=(1", null)]
    [InlineData("none", null)]
    public void Targeted_lifetimes_are_read(string line, long? seconds)
    {
        var (isSound, control) = Targeted(line);
        if (isSound) Assert.Equal(seconds, control.MaxAge);
        else Assert.Null(seconds);
    }

    [Theory]
    [InlineData("no-store", CacheDirectives.NoStore)]
    [InlineData("no-store=?1", CacheDirectives.NoStore)]
    [InlineData("no-store=?0", CacheDirectives.None)]
    [InlineData("no-store, no-store=?0", CacheDirectives.None)]
    [InlineData("no-store=1", CacheDirectives.NoStore)]
    [InlineData("no-cache", CacheDirectives.NoCache)]
    [InlineData("no-cache=\"a, b\"", CacheDirectives.NoCacheFields)]
    [InlineData("no-cache=a", CacheDirectives.NoCache)]
    [InlineData("no-cache=(a b)", CacheDirectives.NoCache)]
    [InlineData("no-cache=?0", CacheDirectives.None)]
    [InlineData("private=\"a\"", CacheDirectives.PrivateFields)]
    [InlineData("private=\"a\", private", CacheDirectives.Private)]
    [InlineData("public", CacheDirectives.Public)]
    [InlineData("public=1", CacheDirectives.None)]
    [InlineData("must-understand, immutable", CacheDirectives.MustUnderstand | CacheDirectives.Immutable)]
    public void Targeted_directives_are_read(string line, CacheDirectives expected)
    {
        var (isSound, control) = Targeted(line);
        Assert.True(isSound);
        foreach (var one in Enum.GetValues<CacheDirectives>()) Assert.Equal(expected.HasFlag(one) && one != CacheDirectives.None, control.Has(one));
    }

    [Theory]
    [InlineData("max-age=10000, &&&&&")]
    [InlineData("max-age=10,")]
    [InlineData("max-age =10")]
    [InlineData("max-age= 10")]
    [InlineData("Max-Age=10")]
    [InlineData(",max-age=10")]
    [InlineData("max-age=10 no-store")]
    [InlineData("max-age=1000000000000000")]
    [InlineData("max-age=1.")]
    [InlineData("max-age=1.2345")]
    [InlineData("max-age=1234567890123.1")]
    [InlineData("max-age=-")]
    [InlineData("max-age=")]
    [InlineData("a=\"b")]
    [InlineData("a=\"b\\c\"")]
    [InlineData("a=\"\u0080\"")]
    [InlineData("a=:b")]
    [InlineData("a=:b!:")]
    [InlineData("a=?2")]
    [InlineData("a=?")]
    [InlineData("a=(b")]
    [InlineData("a=(b\"c\")")]
    [InlineData("a=(b,c)")]
    [InlineData("a;B")]
    [InlineData("a;b=")]
    [InlineData("a;b=(c)")]
    [InlineData("1a")]
    [InlineData("-a")]
    [InlineData("\tmax-age=10")]
    public void What_is_no_dictionary_is_refused_as_a_whole(string line) => Assert.False(Targeted(line).IsSound);

    [Theory]
    [InlineData("")]
    [InlineData("*a")]
    [InlineData("a=1 \t,\t b")]
    [InlineData("a=()")]
    [InlineData("a=( b  c );x;y=1")]
    [InlineData("a=*b/c:d")]
    [InlineData("a=-999999999999999, b=123456789012.123")]
    [InlineData("a=\"b\\\"c\\\\\"; d=?0")]
    [InlineData("a=::")]
    public void What_is_one_is_read_to_its_end(string line) => Assert.True(Targeted(line).IsSound);

    [Fact]
    public void Targeted_fields_nominate_by_strings()
    {
        Assert.True(CacheControl.NominatesTargeted("max-age=1, no-cache=\"a, Set-Cookie\""u8, "set-cookie"u8));
        Assert.False(CacheControl.NominatesTargeted("foo=\"a\", private=\"b\""u8, "a"u8));
    }
}
