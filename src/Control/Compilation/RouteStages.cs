// What stands in the stages of a route, compiled from what is written there.

using System.Text;
using System.Text.RegularExpressions;
using Weir.Control.Configuration;
using Weir.Engine.Answers;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Policies.Cookies;
using Weir.Engine.Policies.Rewrite;

namespace Weir.Control.Compilation;

/// <summary>Compiles one route's policies and its answer.</summary>
internal sealed class RouteStages(RouteConfig route, Hops hops, Diagnostics diagnostics)
{
    private bool IsProxied => route.Proxy is not null;

    private int GroupsOfPath => route.Match.Path?.Regex is { } path ? path.GetGroupNumbers().Max() + 1 : 0;

    /// <param name="sticky">The upstream's; null: it has none.</param>
    public IRequestPolicy[] Request(Sticky? sticky)
    {
        var policies = new List<IRequestPolicy>();
        if (route.Rewrite is { } rewrite) policies.Add(Rewrite(rewrite));
        if (sticky is not null) policies.Add(sticky); // Before the operator's edits: their word on Cookie is the last.
        if (IsProxied)
        {
            policies.Add(new ForwardedFields(route.Forwarded switch
            {
                "off" => ForwardedForm.None,
                "rfc7239" => ForwardedForm.Rfc7239,
                "both" => ForwardedForm.XForwarded | ForwardedForm.Rfc7239,
                _ => ForwardedForm.XForwarded,
            }, hops));
        }

        if (IsProxied && route.EarlyData == true) policies.Add(new EarlyDataField());
        if (CodingPlans.Asked(route.ResponseBody) is { } asked) policies.Add(asked);
        if (route.RequestId == true) policies.Add(new RequestIdField());
        if (route.RequestHeaders is { } edits) policies.Add(new RequestHeaders(Edits(edits)));
        return [.. policies];
    }

    /// <param name="sticky">The upstream's; null: it has none.</param>
    /// <param name="strictTransport">The site's; null: it has none.</param>
    public IResponsePolicy[] Response(Sticky? sticky, StrictTransport? strictTransport)
    {
        var policies = new List<IResponsePolicy>();
        if (IsProxied && route.HideOrigin != false) policies.Add(new HideOrigin());
        if (strictTransport is not null) policies.Add(strictTransport);
        if (route.ResponseHeaders is { } edits) policies.Add(new ResponseHeaders(Edits(edits)));
        // Our own cookies come last: edits are about what the origin sent.
        if (sticky is not null) policies.Add(sticky);
        if (route.Proxy is { Split: not null, By: { Kind: "cookie" } by }) policies.Add(new SplitCookie(new CookieForm(by.Name)));
        return [.. policies];
    }

    public Answer? Answer()
    {
        if (route.Redirect is { } redirect) return new RedirectAnswer((int)redirect.Status, Template(redirect.To));
        if (route.Respond is { } respond)
        {
            return new FixedAnswer((int)respond.Status, Template(respond.Body), Encoding.ASCII.GetBytes(respond.ContentType),
                [.. respond.Headers.Select(h => new AnswerField(Encoding.ASCII.GetBytes(h.Name), Template(h.Value)))]);
        }

        if (route.Files is not { } files) return null;
        if (Directory.Exists(files.Root)) return new FilesAnswer(Path.GetFullPath(files.Root), [.. files.Index], files.Precompressed);
        diagnostics.Error(files.At, $"there is no folder '{files.Root}'");
        return null;
    }

    private PathRewrite Rewrite(RewriteConfig from) => new()
    {
        StripPrefix = Segments(from.StripPrefix),
        Pattern = from.Regex?.Match,
        FirstGroup = GroupsOfPath,
        Replacement = from.Regex?.Replace is { } replace ? Template(replace) : null,
        Path = from.Path is { } path ? Template(path) : null,
        Query = from.Query is { } query ? Template(query) : null,
        AddPrefix = from.AddPrefix is { } prefix ? Encoding.UTF8.GetBytes(prefix.Text.TrimEnd('/')) : [],
    };

    private static string[] Segments(PathPattern? prefix) => prefix is null ? [] : [.. prefix.Text.Trim('/').Split('/').Where(s => s is not ("" or "**"))];

    private HeaderEdits Edits(HeaderEditsConfig from) => new(
        [.. from.Remove.Select(Encoding.ASCII.GetBytes)],
        [.. from.Set.Select(e => new FieldEdit(Encoding.ASCII.GetBytes(e.Name), Template(e.Value)))],
        [.. from.Add.Select(e => new FieldEdit(Encoding.ASCII.GetBytes(e.Name), Template(e.Value)))]);

    // Groups become places among the captures: of the rewrite's expression where it has the group, else of the path's.
    private Template Template(TemplateText text) =>
        new([.. text.Parts.Select(part => part.Kind == Placeholder.Capture ? new Template.Part(Placeholder.Capture, [], Place(part)) : part)]);

    private int Place(Template.Part group)
    {
        var ofRewrite = Number(route.Rewrite?.Regex?.Match, group);
        return ofRewrite >= 0 ? GroupsOfPath + ofRewrite : Math.Max(0, Number(route.Match.Path?.Regex, group));
    }

    private static int Number(Regex? expression, Template.Part group)
    {
        if (expression is null) return -1;
        if (group.Group < 0) return expression.GroupNumberFromName(Encoding.UTF8.GetString(group.Text));
        return expression.GetGroupNumbers().Contains(group.Group) ? group.Group : -1;
    }
}
