// dns-01: what is sent to name servers and believed of them, and hooks that misbehave.

using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Weir.Control.Certificates.Acme;
using Weir.Control.Certificates.Dns;

namespace Weir.Tests.Unit.Control.Certificates;

public sealed class DnsTests : IDisposable
{
    private static readonly byte[] Secret = RandomNumberGenerator.GetBytes(32);
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 9, 0, 0, TimeSpan.Zero);

    private readonly string folder = Directory.CreateTempSubdirectory("weir-hook-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void An_answer_that_is_signed_is_believed_and_another_is_not()
    {
        var (answer, mac) = Answer(code: 0, Secret, Now);
        Assert.Null(Outcome(answer, mac, Now));
        Assert.Equal("its clock and ours are more than five minutes apart", Outcome(answer, mac, Now.AddMinutes(6)));
        Assert.Equal("its answer is signed by somebody else", Outcome(Answer(code: 0, new byte[32], Now).Answer, mac, Now));
        Assert.Equal("it refuses: may the key change this name? (REFUSED)", Outcome(Answer(code: 5, Secret, Now).Answer, mac, Now));
        Assert.Equal("its answer is not signed", Outcome(Plain(0), mac, Now));
        Assert.Equal("it has a fault of its own (SERVFAIL)", Outcome(Plain(2), mac, Now));
    }

    [Fact]
    public void An_answer_that_was_changed_is_not_believed()
    {
        var (answer, mac) = Answer(code: 0, Secret, Now);
        for (var at = 0; at < answer.Length; at++)
        {
            // The bits of recursion and the TTL of the signature are not signed, and mean nothing; names have no case.
            var changed = answer.ToArray();
            changed[at] ^= 0x01;
            if (!DnsTalk.TryRead(changed, out var reply)) continue;
            var outcome = UpdateMessage.Outcome(reply!, "weir-key", Secret, mac, Now);
            if (outcome is null) Assert.True(IsUnsigned(at, answer.Length), $"byte {at} was changed, and it is believed");
        }
    }

    [Fact]
    public void Whatever_comes_reading_ends() => Gen.Byte.Array[12, 300].Sample(bytes =>
    {
        if (DnsTalk.TryRead(bytes, out var reply)) UpdateMessage.Outcome(reply!, "weir-key", Secret, new byte[32], Now);
    }, iter: 20_000);

    [Fact]
    public void An_update_adds_one_record_or_takes_that_one_away()
    {
        var added = UpdateMessage.Make(7, "example.com", "_acme-challenge.Example.com", "abc", 60, isAdded: true);
        Assert.True(DnsTalk.TryRead(added, out var message));
        Assert.Equal(("_acme-challenge.example.com", Weir.Control.Discovery.DnsType.Text), (message!.Records[0].Owner, message.Records[0].Type));
        Assert.Equal("\u0003abc", Encoding.ASCII.GetString(message.Records[0].Data));
        Assert.Equal(5 << 3, added[2]);
        var taken = UpdateMessage.Make(7, "example.com", "_acme-challenge.example.com", "abc", 60, isAdded: false);
        Assert.Equal(254, taken[^(4 + 2 + 4 + 1)]); // RFC 2136 §2.5.4: class NONE, TTL 0.
        Assert.Equal(new byte[4], taken[^10..^6]);
    }

    [Fact]
    public async Task A_hook_that_does_not_end_is_ended_with_what_it_started()
    {
        var hook = Hook("sleep 1000 & echo $! > $(dirname $0)/child; wait");
        var trouble = await Assert.ThrowsAsync<AcmeException>(() => new HookRecords(hook, TimeSpan.FromSeconds(1), TimeProvider.System).PutAsync("a", "b", default));
        Assert.Contains("was ended after 1 s", trouble.Message, StringComparison.Ordinal);
        var child = int.Parse(File.ReadAllText(Path.Combine(folder, "child")), System.Globalization.CultureInfo.InvariantCulture);
        var since = Stopwatch.StartNew();
        while (Directory.Exists($"/proc/{child}") && !File.ReadAllText($"/proc/{child}/stat").Contains(") Z", StringComparison.Ordinal)) Assert.True(since.Elapsed < TimeSpan.FromSeconds(10), "its child runs on");
    }

    [Fact]
    public async Task Of_what_a_hook_says_the_end_is_told()
    {
        var trouble = await Assert.ThrowsAsync<AcmeException>(() => new HookRecords(Hook("head -c 1000000 /dev/zero | tr '\\0' 'x' | fold; echo the end; exit 1"), TimeSpan.FromSeconds(30), TimeProvider.System).PutAsync("a", "b", default));
        Assert.EndsWith("the end", trouble.Message, StringComparison.Ordinal);
        Assert.InRange(trouble.Message.Length, 100, 2_200);
    }

    [Fact]
    public async Task A_hook_that_is_no_program_is_told()
    {
        var file = Path.Combine(folder, "text");
        File.WriteAllText(file, "no program");
        var trouble = await Assert.ThrowsAsync<AcmeException>(() => new HookRecords(file, TimeSpan.FromSeconds(1), TimeProvider.System).PutAsync("a", "b", default));
        Assert.Contains("cannot be started", trouble.Message, StringComparison.Ordinal);
    }

    private string Hook(string text)
    {
        var file = Path.Combine(folder, "hook");
        File.WriteAllText(file, "#!/bin/sh\n" + text + "\n");
        File.SetUnixFileMode(file, (UnixFileMode)0b111_000_000);
        return file;
    }

    private static string? Outcome(byte[] answer, byte[] mac, DateTimeOffset now)
    {
        Assert.True(DnsTalk.TryRead(answer, out var reply));
        return UpdateMessage.Outcome(reply!, "weir-key", Secret, mac, now);
    }

    // As a server signs: over the request's signature and its answer (RFC 8945 §5.3).
    private static (byte[] Answer, byte[] Mac) Answer(byte code, byte[] secret, DateTimeOffset now)
    {
        var mac = Enumerable.Range(0, 32).Select(static i => (byte)i).ToArray();
        var plain = Plain(code);
        var signed = UpdateMessage.Sign(plain, "weir-key", secret, now, out var own);
        var variables = signed[plain.Length..];
        // What Sign leaves is a signature of a request: the same record, with the MAC made anew.
        byte[] name = DnsTalk.Name("weir-key"), algorithm = DnsTalk.Name("hmac-sha256");
        var rdata = name.Length + 10;
        var time = variables[(rdata + algorithm.Length)..(rdata + algorithm.Length + 6)];
        byte[] covered = [0, 32, .. mac, .. plain, .. name, 0, 255, 0, 0, 0, 0, .. algorithm, .. time, 1, 44, 0, 0, 0, 0];
        var made = HMACSHA256.HashData(secret, covered);
        var at = signed.AsSpan().LastIndexOf(own);
        made.CopyTo(signed, at);
        return (signed, mac);
    }

    private static byte[] Plain(byte code) => [0, 7, 0xA8, code, 0, 0, 0, 0, 0, 0, 0, 0];

    // Of the signature's record: its name (of the key we know), its class and TTL, and the number of the request at its end.
    private static bool IsUnsigned(int at, int length) => at >= 12 && (at < 12 + DnsTalk.Name("weir-key").Length + 10 || at >= length - 6);
}
