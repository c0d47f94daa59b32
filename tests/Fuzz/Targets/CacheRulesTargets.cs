// Cache-Control and Vary: nothing that a peer writes makes a cache do more than without it, and requests that were not read
// alike have two keys.

using System.Text;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Fuzz;

internal static class CacheRulesTargets
{
    public static Target[] All => [new CacheControlTarget(), new TargetedTarget(), new CachedTarget()];
}

internal sealed class CacheControlTarget : Target
{
    public override string Name => "cache-control";

    public override string[] Covers => ["Weir.Wire.Fields.CacheControl", "Weir.Wire.Fields.ListElements"];

    public override IEnumerable<string> Examples =>
    [
        "max-age=3600, s-maxage=\"5\", no-cache=\"a, b\", private=\"c\", public", "no-store, must-understand", "x=\"a\\\", max-age=1\", stale-while-revalidate=5, stale-if-error=6, immutable", "max-stale, max-stale=1, min-fresh=2, only-if-cached",
    ];

    public override string[] Words => ["max-age=", "s-maxage=", "no-cache", "no-store", "private=\"", "public", "must-understand", "\"", "\\", ",", "=", "2147483649"];

    public override int MostBytes => 512;

    public override void Check(byte[] input)
    {
        CacheControl alone = default;
        alone.Read(input);
        foreach (var seconds in new[] { alone.MaxAge, alone.SharedMaxAge, alone.StaleWhileRevalidate, alone.StaleIfError, alone.MaxStale, alone.MinFresh }) Must(seconds is null or (>= 0 and <= CacheControl.MostSeconds), "no number of seconds");

        // What stands before a line never makes it allow more.
        CacheControl behind = default;
        behind.Read("max-age=7, no-store, stale-if-error=7"u8);
        behind.Read(input);
        Must(behind.MaxAge <= 7 && behind.StaleIfError <= 7 && behind.Has(CacheDirectives.NoStore), "a line took back what the one before it said");
        foreach (var one in Enum.GetValues<CacheDirectives>()) Must(!alone.Has(one) || behind.Has(one), $"{one} was lost");

        // A line cut in two at a comma outside quotes says the same.
        var cut = ListElements.ElementEnd(input);
        if (cut == input.Length) return;
        CacheControl parts = default;
        parts.Read(input.AsSpan(0, cut));
        parts.Read(input.AsSpan(cut + 1));
        Must(parts.Equals(alone), "two lines say something else than one");
    }
}

internal sealed class TargetedTarget : Target
{
    public override string Name => "targeted";

    public override string[] Covers => ["Weir.Wire.Fields.StructuredDictionary", "Weir.Wire.Fields.CacheControl"];

    public override IEnumerable<string> Examples => ["max-age=3600;a=\"b\";c=?0, no-store=?0, no-cache=\"a, b\"", "a=(b \"c\";d 1.5 :YQ==:);e, private", "x=*t/:, y=-12.345 ,\tz"];

    public override string[] Words => ["max-age=", "no-store", "no-cache=\"", "(", ")", ";", "=", ":", "?1", ",", "\"", "\\\""];

    public override int MostBytes => 512;

    public override void Check(byte[] input)
    {
        CacheControl alone = default;
        var isSound = alone.TryReadTargeted(input);
        CacheControl longer = default;
        Must(longer.TryReadTargeted([.. input, .. ", z=1"u8]) == (isSound && input.AsSpan().IndexOfAnyExcept((byte)' ') >= 0), "a member more changes whether it is a dictionary");
        if (!isSound) return;
        foreach (var seconds in new[] { alone.MaxAge, alone.SharedMaxAge, alone.StaleWhileRevalidate, alone.StaleIfError }) Must(seconds is null or (>= 0 and <= CacheControl.MostSeconds), "no number of seconds");
        Must(input.AsSpan().IndexOfAnyExceptInRange((byte)' ', (byte)'~') is var odd && (odd < 0 || input[odd] == '\t'), "a byte that stands in no dictionary");
    }
}

internal sealed class CachedTarget : Target
{
    private static readonly DateTime Now = new(2026, 11, 25, 12, 0, 0, DateTimeKind.Utc);

    private readonly ResponseHead head = new();
    private readonly FieldBlock fields = new();
    private readonly Trial trial = new();
    private readonly byte[] key = new byte[VaryRule.MostKeyBytes];

    public override string Name => "cached";

    public override string[] Covers => ["Weir.Engine.Caching.Rules."];

    public override IEnumerable<string> Examples =>
    [
        "Cache-Control: max-age=60, private=\"a\"\nVary: Foo, Accept-Language\nETag: \"x\"\nAge: 5\nDate: Wed, 25 Nov 2026 12:00:00 GMT\nFoo: 1, 2\nAccept-Language: de, en;q=0.5",
        "Expires: Wed, 25 Nov 2026 13:00:00 GMT\nConnection: a\na: b\nVary: a\nSet-Cookie: x=y\nLast-Modified: Tue, 24 Nov 2026 12:00:00 GMT", "CDN-Cache-Control: s-maxage=5, no-cache=\"etag\"\nETag: W/\"y\"\nLocation: ../x?y",
    ];

    public override string[] Words => ["Cache-Control: ", "CDN-Cache-Control: ", "Vary: ", "Accept-Language: ", "Expires: ", "Age: ", "ETag: ", "Connection: ", "\n", ",", "\"", ";q=", "*", "max-age="];

    public override void Check(byte[] input)
    {
        var lines = Trial.Text(input).Replace("\n", "\r\n", StringComparison.Ordinal);
        var response = Encoding.Latin1.GetBytes("HTTP/1.1 200 OK\r\n" + lines + "\r\n\r\n");
        head.Clear();
        if (ResponseParser.Parse(response, HeadLimits.Default, KnownMethod.Get, head, out _) != ParseStatus.Done) return;
        fields.Reset(response, 0, head.Fields);
        if (!trial.TryRequest(Encoding.Latin1.GetBytes("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n\r\n"))) return;
        try
        {
            Rules(trial.Exchange.Request.Fields);
        }
        finally
        {
            trial.End();
        }
    }

    private void Rules(FieldBlock request)
    {
        var asked = RequestDirectives.Read(request, CacheRules.Default);
        var verdict = StoreDecision.Judge(KnownMethod.Get, request, asked, 200, fields, CacheRules.Default, Now, Now);
        if (verdict.MayStore)
        {
            Must(verdict.Times.InitialAge >= 0 && verdict.Times.Lifetime >= 0 && verdict.Times.UsefulUntil >= DateTime.MinValue, "times that are none");
            Must(ReuseDecision.Judge(verdict.Times, default, Now.AddYears(200)) != Reuse.Fresh, "fresh for ever");
            var rule = VaryRule.Of(fields);
            if (rule.TryWriteKey(request, key, out var length)) Must(rule.Matches(request, key.AsSpan(0, length)), "a request does not match itself");
        }

        var stored = new byte[StoredFields.Bound(fields)];
        var size = StoredFields.Write(fields, stored);
        var merged = new byte[size + StoredFields.Bound(fields)];
        var again = StoredFields.Merge(stored.AsSpan(0, size), fields, merged);
        Must(Lines(merged.AsSpan(0, again)).SequenceEqual(Lines(stored.AsSpan(0, size))), "a response that confirms itself changes itself");
        if (Validation.HasValidator(fields) && again == size && !StoredFields.Find(stored.AsSpan(0, size), KnownField.ETag).IsEmpty) Must(Validation.Confirms(stored.AsSpan(0, size), fields), "a response does not confirm itself");
    }

    private static string[] Lines(ReadOnlySpan<byte> lines) => [.. Trial.Text(lines.ToArray()).Split("\r\n").Order(StringComparer.Ordinal)];
}
