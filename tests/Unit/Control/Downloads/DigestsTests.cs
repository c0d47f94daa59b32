using System.Security.Cryptography;
using Weir.Control.Downloads;

namespace Weir.Tests.Unit.Control.Downloads;

public class DigestsTests
{
    private static readonly byte[] Body = "hello"u8.ToArray();
    private static readonly string Sha256 = $"sha-256=:{Convert.ToBase64String(SHA256.HashData(Body))}:";
    private static readonly string Sha512 = $"sha-512=:{Convert.ToBase64String(SHA512.HashData(Body))}:";
    private static readonly string Wrong = $"sha-256=:{Convert.ToBase64String(SHA256.HashData("other"u8))}:";

    public static TheoryData<string?, bool?> Fields() => new()
    {
        { Sha256, true },
        { Sha512, true },
        { $"{Sha512}, {Sha256}", true },
        { $"md5=:AAAA:,  {Sha256};x=y", true },
        { Wrong, false },
        { $"{Sha512}, {Wrong}", false },
        { null, null },
        { "", null },
        { "md5=:AAAA:", null },
        { "sha-256=:AAAA:", null },
        { "sha-256=:not base64:", null },
        { Sha256[..^1], null },
        { "sha-256", null },
        { "sha-256=:", null },
    };

    [Theory]
    [MemberData(nameof(Fields))]
    public void What_has_come_fits_a_digest_or_not_or_it_tells_nothing(string? field, bool? fits)
    {
        using var digests = new Digests();
        digests.Begin(field);
        digests.Append(Body.AsSpan(0, 2));
        digests.Append(Body.AsSpan(2));
        Assert.Equal(fits, digests.Fits(field));
        Assert.Equal(SHA256.HashData(Body), digests.Sha256());
        Assert.Equal(5, digests.Count);
    }
}
