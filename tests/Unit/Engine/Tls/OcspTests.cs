using System.Security.Cryptography.X509Certificates;
using Weir.Control.Certificates;
using Weir.Engine.Tls;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Engine.Tls;

public sealed class OcspTests : IDisposable
{
    private readonly TestCertificates made = new(Directory.CreateTempSubdirectory("weir-unit-").FullName);
    private readonly TestCertificates strangers = new(Directory.CreateTempSubdirectory("weir-unit-").FullName);

    public OcspTests()
    {
        made.Issue("a", ["a.test"], serial: [0x21]);
        made.Issue("b", ["b.test"], serial: [0x22]);
        strangers.Issue("a", ["a.test"], serial: [0x21]);
    }

    public void Dispose()
    {
        Directory.Delete(made.Folder, recursive: true);
        Directory.Delete(strangers.Folder, recursive: true);
    }

    [Fact]
    public void The_issuers_word_counts_and_tells_how_long_it_holds()
    {
        var answer = Ocsp.Judge(Answer(made, "a"), Certificate(made, "a.pem"), Certificate(made, "issuer.pem"), out var trouble);
        Assert.True(answer is not null, trouble);
        Assert.InRange(answer.Until - answer.From, TimeSpan.FromHours(47), TimeSpan.FromHours(49));
        Assert.InRange(answer.From, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(1));
    }

    [Fact]
    public void A_strangers_word_does_not_count_nor_does_one_about_another_certificate()
    {
        Assert.Null(Ocsp.Judge(Answer(strangers, "a"), Certificate(made, "a.pem"), Certificate(made, "issuer.pem"), out var trouble));
        Assert.StartsWith("the answer is not signed by the issuer", trouble, StringComparison.Ordinal);
        Assert.Null(Ocsp.Judge(Answer(made, "b"), Certificate(made, "a.pem"), Certificate(made, "issuer.pem"), out trouble));
        Assert.Equal("the answer is about another certificate", trouble);
    }

    [Fact]
    public void No_bytes_are_too_odd()
    {
        var good = Answer(made, "a");
        var (certificate, issuer) = (Certificate(made, "a.pem"), Certificate(made, "issuer.pem"));
        var random = new Random(1);
        for (var length = 0; length < good.Length; length++) Assert.Null(Ocsp.Judge(good[..length], certificate, issuer, out _));
        for (var i = 0; i < 2_000; i++)
        {
            var bent = (byte[])good.Clone();
            bent[random.Next(bent.Length)] ^= (byte)(1 << random.Next(8));
            Ocsp.Judge(bent, certificate, issuer, out _);
        }

        Assert.Empty(Ocsp.Question([1, 2, 3], issuer));
    }

    [Fact]
    public void What_was_said_before_a_certificate_was_revoked_counts_no_more()
    {
        var (certificate, issuer) = (Certificate(made, "a.pem"), Certificate(made, "issuer.pem"));
        var good = Ocsp.Judge(Answer(made, "a"), certificate, issuer, out var trouble);
        Assert.Same(good, Stapling.Left(good, "no answer in time"));
        Assert.Null(Ocsp.Judge(Answer(made, "a", isRevoked: true), certificate, issuer, out trouble));
        Assert.Null(Stapling.Left(good, trouble));
    }

    private static byte[] Certificate(TestCertificates of, string file)
    {
        using var read = X509CertificateLoader.LoadCertificateFromFile(of.At(file));
        return read.RawData;
    }

    private static byte[] Answer(TestCertificates by, string name, bool isRevoked = false)
    {
        File.WriteAllBytes(by.At("question.der"), Ocsp.Question(Certificate(by, name + ".pem"), Certificate(by, "issuer.pem")));
        File.WriteAllText(by.At("index.txt"), $"{(isRevoked ? "R\t991231235959Z\t220101000000Z" : "V\t991231235959Z\t")}\t21\tunknown\t/CN=a\nV\t991231235959Z\t\t22\tunknown\t/CN=b\n");
        var said = Command.Run("openssl", ["ocsp", "-index", "index.txt", "-rsigner", "issuer.pem", "-rkey", "issuer.key", "-CA", "issuer.pem", "-reqin", "question.der", "-respout", "answer.der", "-ndays", "2"], by.Folder);
        Assert.True(File.Exists(by.At("answer.der")), said.Error);
        return File.ReadAllBytes(by.At("answer.der"));
    }
}
