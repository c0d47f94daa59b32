using System.Text;
using Weir.Engine.Caching;

namespace Weir.Tests.Unit.Engine.Caching;

public class DeceptionTests
{
    [Theory]
    [InlineData("/account/x.css", "text/html", true)]
    [InlineData("/account/x.CSS", "Text/HTML; charset=utf-8", true)]
    [InlineData("/account%2Fx.css", "text/html", true)]
    [InlineData("/account;x.css", "text/html", true)]
    [InlineData("/x.js;jsessionid=1", "application/json", true)]
    [InlineData("/account/x.css%00", "text/html", true)]
    [InlineData("/account/x.css%3Fy", "text/html", true)]
    [InlineData("/api/me.png", "application/problem+json", true)]
    [InlineData("/x.css", "text/css", false)]
    [InlineData("/x.css", "", false)]
    [InlineData("/account", "text/html", false)]
    [InlineData("/index.html", "text/html", false)]
    [InlineData("/a.css/page", "text/html", false)]
    [InlineData("/data.json", "application/json", false)]
    [InlineData("/x.", "text/html", false)]
    [InlineData("/x.css5678", "text/html", false)]
    public void A_page_under_the_name_of_a_file(string path, string type, bool isLikely) => Assert.Equal(isLikely, Deception.IsLikely(Encoding.ASCII.GetBytes(path), Encoding.ASCII.GetBytes(type)));
}
