using System.Security.Cryptography;
using System.Text;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Wire;

public sealed class DigestFieldTests
{
    private static readonly byte[] Short = SHA256.HashData("a"u8);
    private static readonly byte[] Long = SHA512.HashData("a"u8);

    private static string Sha256 => $"sha-256=:{Convert.ToBase64String(Short)}:";

    private static string Sha512 => $"sha-512=:{Convert.ToBase64String(Long)}:";

    [Fact]
    public void What_is_written_is_read()
    {
        var room = new byte[DigestField.MostText];
        foreach (var (algorithm, digest) in new[] { (DigestAlgorithm.Sha256, Short), (DigestAlgorithm.Sha512, Long) })
        {
            DigestValues values = default;
            values.Read(room.AsSpan(0, DigestField.Write(algorithm, digest, room)));
            Assert.Equal(algorithm, values.Strongest);
            Assert.True(values.Agrees(algorithm, digest));
            digest[^1] ^= 1;
            Assert.False(values.Agrees(algorithm, digest));
            digest[^1] ^= 1;
        }

        Assert.InRange(DigestField.Write(DigestAlgorithm.Sha512, Long, room), DigestField.MostText - 4, DigestField.MostText);
    }

    [Fact]
    public void The_strongest_that_is_known_counts()
    {
        Assert.Equal(DigestAlgorithm.Sha512, Read($"{Sha256}, {Sha512}").Strongest);
        Assert.Equal(DigestAlgorithm.Sha512, Read(Sha512, Sha256).Strongest);
        Assert.Equal(DigestAlgorithm.Sha256, Read($"md5=:AAAA:, {Sha256}, sha3=:AAAA:;p=1").Strongest);
        Assert.True(Read($"{Sha256}, {Sha512}").Agrees(DigestAlgorithm.Sha256, Short));
        Assert.True(Read(Sha512).Agrees(DigestAlgorithm.Sha256, Long.AsSpan(0, 32))); // It tells none: nothing contradicts.
    }

    [Theory]
    [InlineData("")]
    [InlineData("md5=:AAAA:")]
    [InlineData("sha-256")]
    [InlineData("sha-256=1")]
    [InlineData("sha-256=\"abc\"")]
    [InlineData("sha-256=:AAAA:")]
    [InlineData("sha-256=::")]
    [InlineData("sha-256=:AAAA")]
    [InlineData("sha-256=:####:")]
    [InlineData("SHA-256=:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:")]
    [InlineData("sha-256=:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:,")]
    [InlineData("sha-256=:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:, \"x\"")]
    [InlineData("sha-256=:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:, sha-256=:AAAA:")]
    [InlineData("sha-512=:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:")]
    public void What_is_no_digest_of_its_algorithm_tells_none(string line) => Assert.Equal(DigestAlgorithm.None, Read(line).Strongest);

    [Fact]
    public void One_broken_line_breaks_the_field()
    {
        Assert.Equal(DigestAlgorithm.None, Read(Sha256, "sha-512=:").Strongest);
        Assert.False(Read("=", Sha256).Has(DigestAlgorithm.Sha256));
    }

    [Theory]
    [InlineData("sha-256=1", 1, 0)]
    [InlineData("sha-256=10, sha-512=3", 10, 3)]
    [InlineData("sha-512=3, sha-256=0", 0, 3)]
    [InlineData("sha-256=11", 0, 0)]
    [InlineData("sha-256=-1", 0, 0)]
    [InlineData("sha-256=1.0", 0, 0)]
    [InlineData("sha-256", 0, 0)]
    [InlineData("sha-256=?1", 0, 0)]
    [InlineData("sha-256=5, sha-256=2", 2, 0)]
    [InlineData("sha-256=5, !", 0, 0)]
    [InlineData("unixsum=9, md5=3", 0, 0)]
    [InlineData("", 0, 0)]
    public void Wishes_are_integers_up_to_ten(string line, int sha256, int sha512)
    {
        DigestWeights weights = default;
        weights.Read(Encoding.ASCII.GetBytes(line));
        Assert.Equal((sha256, sha512), (weights.Of(DigestAlgorithm.Sha256), weights.Of(DigestAlgorithm.Sha512)));
    }

    private static DigestValues Read(params string[] lines)
    {
        DigestValues values = default;
        foreach (var line in lines) values.Read(Encoding.ASCII.GetBytes(line));
        return values;
    }
}
