using Weir.Engine.Tls;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Engine.Tls;

public sealed class KeyedCertificateTests : IDisposable
{
    private readonly TestCertificates made = new(Directory.CreateTempSubdirectory("weir-unit-").FullName);

    public void Dispose() => Directory.Delete(made.Folder, recursive: true);

    [Fact]
    public void The_chain_is_read_in_its_order_and_never_the_key()
    {
        made.Issue("a", ["a.test"]);
        made.Compose("both.pem", ("a.key", -1), ("a.pem", -1));
        using var read = KeyedCertificate.TryRead(new CertificateFiles(made.At("both.pem"), made.At("both.pem")), out var trouble, out _);
        Assert.True(read is not null, trouble);
        Assert.Equal(3, read.Chain.Length);
    }

    [Fact]
    public void A_file_that_is_cut_anywhere_or_bent_is_a_diagnostic()
    {
        made.Issue("a", ["a.test"], "rsa");
        var files = new CertificateFiles(made.At("x.pem"), made.At("x.key"));
        var (chain, key) = (File.ReadAllBytes(made.At("a.pem")), File.ReadAllBytes(made.At("a.key")));
        var random = new Random(1);
        for (var i = 0; i < 400; i++)
        {
            File.WriteAllBytes(files.Chain, i % 2 == 0 ? chain[..random.Next(chain.Length)] : Bent(chain));
            File.WriteAllBytes(files.Key, i % 4 < 2 ? key[..random.Next(key.Length)] : Bent(key));
            using var read = KeyedCertificate.TryRead(files, out var trouble, out _);
            Assert.Equal(read is null, trouble.Length > 0);
        }

        byte[] Bent(byte[] bytes)
        {
            var bent = (byte[])bytes.Clone();
            bent[random.Next(bent.Length)] = (byte)random.Next(256);
            return bent;
        }
    }

    [Fact]
    public void A_chain_has_a_limit()
    {
        made.Issue("a", ["a.test"]);
        foreach (var (more, isTaken) in new[] { (28, true), (29, false) })
        {
            made.Compose("long.pem", [("a.pem", -1), .. Enumerable.Repeat(("issuer.pem", -1), more)]);
            using var read = KeyedCertificate.TryRead(new CertificateFiles(made.At("long.pem"), made.At("a.key")), out var trouble, out var isOfKey);
            Assert.Equal(isTaken, read is not null);
            if (!isTaken) Assert.Equal(($"'{made.At("long.pem")}' holds more than 31 certificates: it is no chain of one", false), (trouble, isOfKey));
        }
    }
}
