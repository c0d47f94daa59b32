// The certificates that cases speak of: good ones for a.test, b.test and *.c.test, and one for each thing that can be wrong.

using System.Security.Cryptography;
using Weir.Tests.Support;

namespace Weir.Tests.Golden;

internal static class TestFiles
{
    public static string MakeCertificates()
    {
        var made = new TestCertificates(Directory.CreateTempSubdirectory("weir-golden-").FullName);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(made.Folder, recursive: true);
        made.Issue("a", ["a.test", "b.test"], serial: [1]);
        made.Issue("a-rsa", ["a.test", "b.test"], "rsa", serial: [2]);
        made.Issue("c", ["*.c.test", "192.0.2.7"], serial: [3]);
        made.Issue("expired", ["a.test"], until: new DateTimeOffset(2020, 2, 3, 4, 5, 0, TimeSpan.Zero));
        made.Issue("early", ["a.test"], from: new DateTimeOffset(2098, 2, 3, 4, 5, 0, TimeSpan.Zero));
        made.SelfSign("self", ["a.test"]);
        made.SelfSign("sha1", ["a.test"], "rsa", HashAlgorithmName.SHA1);
        made.Encrypt("a.key", "encrypted.key");
        made.Compose("both.pem", ("a.pem", -1), ("a.key", -1));
        made.Compose("alone.pem", ("a.pem", 0));
        made.Compose("disorder.pem", ("a.pem", 0), ("a.pem", 2), ("a.pem", 1));
        made.Compose("gap.pem", ("a.pem", 0), ("a.pem", 2));
        made.Compose("last.pem", ("a.pem", 1), ("a.pem", 0));
        made.Compose("open.key", ("a.key", -1));
        File.SetUnixFileMode(made.At("both.pem"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.SetUnixFileMode(made.At("open.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        File.WriteAllText(made.At("text.pem"), "no certificate\n");
        File.WriteAllText(made.At("broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        return made.Folder;
    }
}
