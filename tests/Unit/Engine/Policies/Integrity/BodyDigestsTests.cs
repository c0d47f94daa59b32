using System.Security.Cryptography;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Integrity;
using Weir.Tests.Unit.Engine.Forwarding;
using Weir.Tests.Unit.Loops;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Policies.Integrity;

public class BodyDigestsTests
{
    private static readonly IntegrityPlan Plan = new() { Generates = true };
    private static readonly byte[] Bytes = Encoding.ASCII.GetBytes("What was sent is what has come.");

    private readonly Loop loop = new(new ManualPoller());
    private readonly BufferPool buffers = new(new MemoryBudget(1L << 30));
    private readonly BodyDigests digests = new(new ErrorLog(new Nowhere()));
    private readonly LiveBody body = new();
    private Exchange exchange;

    public BodyDigestsTests() => exchange = new Exchange(loop, buffers);

    public static TheoryData<string> Told => [Of("sha-256"), Of("sha-512"), $"{Of("sha-256")}, {Of("sha-512")}", $"md5=:AAAA:, {Of("sha-256")}", $"{Of("sha-512")}, sha-256=:AAAA:"];

    [Theory]
    [MemberData(nameof(Told))]
    public void A_right_body_passes_however_it_is_split_and_taken(string digest)
    {
        for (var split = 0; split <= Bytes.Length; split++)
        {
            foreach (var take in new[] { 1, 5, int.MaxValue })
            {
                foreach (var field in new[] { "Repr-Digest", "Content-Digest" })
                {
                    Answer($"{field}: {digest}\r\nContent-Length: {Bytes.Length}");
                    Feed(Bytes, split);
                    Assert.True(digests.Verify(exchange, Plan));
                    Assert.Equal((BodyStatus.End, Encoding.ASCII.GetString(Bytes)), Read(take));
                    exchange.End();
                }
            }
        }

        Assert.Equal(0, digests.Mismatched);
    }

    [Theory]
    [MemberData(nameof(Told))]
    public void A_body_that_is_wrong_in_any_byte_never_goes_on_whole(string digest)
    {
        for (var at = 0; at < Bytes.Length; at++)
        {
            var wrong = Bytes.ToArray();
            wrong[at] ^= 0x10;
            Answer($"Repr-Digest: {digest}\r\nContent-Length: {Bytes.Length}");
            Feed(wrong, at);
            Assert.True(digests.Verify(exchange, Plan));
            var (status, got) = Read(at % 3 == 0 ? 1 : int.MaxValue);
            Assert.Equal((BodyStatus.Broken, FaultCause.WrongDigest), (status, exchange.ResponseSource!.Failure));
            Assert.True(got.Length < wrong.Length && Encoding.ASCII.GetString(wrong).StartsWith(got, StringComparison.Ordinal));
            exchange.End();
        }

        Assert.Equal((Bytes.Length, 0L), (digests.Mismatched, digests.Verified));
    }

    [Fact]
    public void A_body_whose_end_tells_its_length_is_never_told_to_have_ended()
    {
        Answer($"Repr-Digest: {Of("sha-256")}\r\nTransfer-Encoding: chunked", length: -1);
        Feed([.. Bytes, (byte)'!'], 3);
        Assert.True(digests.Verify(exchange, Plan));
        Assert.Equal(BodyStatus.Broken, Read(int.MaxValue).Status);
        Assert.False(exchange.ResponseSource!.IsAtEnd);
        exchange.End();
    }

    [Fact]
    public void An_empty_body_has_a_digest_too()
    {
        foreach (var (told, status) in new[] { (Of("sha-256", []), BodyStatus.End), (Of("sha-256"), BodyStatus.Broken) })
        {
            Answer($"Repr-Digest: {told}", length: 0);
            body.End();
            Assert.True(digests.Verify(exchange, Plan));
            Assert.Equal(status, Read(int.MaxValue).Status);
            exchange.End();
        }
    }

    [Theory]
    [InlineData("", 200)]
    [InlineData("Digest: SHA-256=AAAA", 200)]
    [InlineData("Repr-Digest: md5=:AAAA:", 200)]
    [InlineData("Repr-Digest: sha-256=:AAAA:", 200)]
    [InlineData("Content-Range: bytes 0-30/100\r\nRepr-Digest: {0}", 206)]
    [InlineData("Repr-Digest: {0}", 404)]
    public void What_cannot_be_verified_passes_as_it_is(string fields, int status)
    {
        Answer(string.Format(System.Globalization.CultureInfo.InvariantCulture, fields, Of("sha-256", [])), status: status);
        Feed(Bytes, 1);
        Assert.False(digests.Verify(exchange, Plan));
        Assert.Same(body, exchange.ResponseSource);
    }

    [Theory]
    [InlineData("Content-Range: bytes 0-30/31\r\nRepr-Digest: {0}", 206)] // All there is.
    [InlineData("Content-Range: bytes 0-30/100\r\nContent-Digest: {0}", 206)]
    [InlineData("Content-Digest: {0}", 404)]
    public void A_part_is_verified_where_the_digest_is_of_the_part(string fields, int status)
    {
        foreach (var isRight in new[] { true, false })
        {
            Answer(string.Format(System.Globalization.CultureInfo.InvariantCulture, fields, isRight ? Of("sha-256") : Of("sha-256", [])), status: status);
            Feed(Bytes, 7);
            Assert.True(digests.Verify(exchange, Plan));
            Assert.Equal(isRight ? BodyStatus.End : BodyStatus.Broken, Read(4).Status);
            exchange.End();
        }
    }

    [Fact]
    public void Both_fields_must_be_right()
    {
        foreach (var (repr, content) in new[] { (Of("sha-256"), Of("sha-256", [])), (Of("sha-256", []), Of("sha-256")) })
        {
            Answer($"Repr-Digest: {repr}\r\nContent-Digest: {content}");
            Feed(Bytes, 7);
            Assert.True(digests.Verify(exchange, Plan));
            Assert.Equal(BodyStatus.Broken, Read(int.MaxValue).Status);
            exchange.End();
        }
    }

    [Fact]
    public void What_a_policy_took_from_the_head_is_verified_all_the_same()
    {
        Answer($"Repr-Digest: {Of("sha-256", [])}");
        exchange.Response.Fields.Drop(KnownField.Other, "Repr-Digest"u8);
        Feed(Bytes, 7);
        Assert.True(digests.Verify(exchange, Plan));
        Assert.Equal(BodyStatus.Broken, Read(int.MaxValue).Status);
        exchange.End();
    }

    [Theory]
    [InlineData("sha-256", true)]
    [InlineData("sha-512", true)]
    [InlineData("sha-256", false)]
    public void What_is_announced_for_the_trailers_is_verified_there(string algorithm, bool isRight)
    {
        Answer("Trailer: Expires, repr-digest\r\nTransfer-Encoding: chunked", length: -1);
        Feed(Bytes, 7, trailers: $"Repr-Digest: {(isRight ? Of(algorithm) : Of(algorithm, []))}");
        Assert.True(digests.Verify(exchange, Plan));
        Assert.Equal(isRight ? BodyStatus.End : BodyStatus.Broken, Read(int.MaxValue).Status);
        Assert.Equal((isRight ? 1 : 0, isRight ? 0 : 1), (digests.Verified, digests.Mismatched));
        exchange.End();
    }

    [Fact]
    public void An_algorithm_that_the_route_does_not_name_is_not_verified()
    {
        var plan = Plan with { Algorithms = [DigestAlgorithm.Sha512] };
        Answer($"Repr-Digest: {Of("sha-256", [])}");
        Assert.False(digests.Verify(exchange, plan));
    }

    [Theory]
    [InlineData("sha-256=1", DigestAlgorithm.Sha256)]
    [InlineData("sha-256=1, sha-512=2", DigestAlgorithm.Sha512)]
    [InlineData("sha-512=5, sha-256=5", DigestAlgorithm.Sha256)]
    [InlineData("sha-256=0, sha-512=0", DigestAlgorithm.None)]
    [InlineData("md5=9", DigestAlgorithm.None)]
    public void The_client_chooses_by_weight_and_among_equals_the_route_does(string wish, DigestAlgorithm algorithm)
    {
        Asking($"Want-Repr-Digest: {wish}\r\nwant-content-digest: sha-512=1");
        Assert.Equal(new DigestWish(algorithm, DigestAlgorithm.Sha512), BodyDigests.Wish(exchange.Request.Fields, Plan));
    }

    [Fact]
    public void A_body_of_ours_has_its_digest_in_the_head()
    {
        Asking("Want-Repr-Digest: sha-256=1\r\nWant-Content-Digest: sha-512=1");
        OwnResponse.Begin(exchange, 200, Bytes, default);
        exchange.DigestWish = BodyDigests.Wish(exchange.Request.Fields, Plan);
        Assert.True(digests.Tell(exchange));
        Assert.Equal([$"Repr-Digest: {Of("sha-256")}", $"Content-Digest: {Of("sha-512")}"], Added());
        Assert.Equal((1L, 0L), (digests.ToldInHead, digests.ToldBehind));
    }

    [Fact]
    public void What_only_its_end_tells_is_told_behind_the_body()
    {
        Asking("Want-Repr-Digest: sha-256=1\r\nWant-Content-Digest: sha-512=1\r\nTE: trailers");
        Answer("Content-Type: text/plain", length: -1);
        Feed(Bytes, 9);
        exchange.DigestWish = BodyDigests.Wish(exchange.Request.Fields, Plan);
        Assert.True(digests.Tell(exchange));
        Assert.Equal(["Trailer: Repr-Digest", "Trailer: Content-Digest"], Added());
        Assert.Equal((BodyStatus.End, Encoding.ASCII.GetString(Bytes)), Read(2));
        var behind = exchange.ResponseSource!.Trailers!;
        Assert.Equal([$"Repr-Digest: {Of("sha-256")}", $"Content-Digest: {Of("sha-512")}"], Added(behind));
        Assert.Same(behind, Trailers.Filter(behind, exchange.Response.Fields));
        Assert.Equal(BodyStatus.End, exchange.ResponseSource.TryRead(out _)); // As where the sink had no room.
        Assert.Equal(2, behind.Added.Length);
        exchange.End();
    }

    [Theory]
    [InlineData("Want-Repr-Digest: sha-256=1", -1, 200, "")] // No trailers for it.
    [InlineData("Want-Repr-Digest: sha-256=1\r\nTE: trailers", 31, 200, "")] // A length: no chunks.
    [InlineData("Want-Repr-Digest: sha-256=1\r\nTE: trailers", -1, 206, "")] // Of the whole, and this is a part.
    [InlineData("Want-Repr-Digest: sha-256=1\r\nTE: trailers", -1, 404, "")]
    [InlineData("Want-Repr-Digest: sha-256=1\r\nTE: trailers", -1, 200, "Repr-Digest: md5=:AAAA:")] // Its origin has spoken.
    [InlineData("Want-Repr-Digest: sha-256=1\r\nTE: trailers", -1, 200, "Trailer: Repr-Digest")]
    public void Where_it_cannot_be_told_it_is_not(string asks, long length, int status, string fields)
    {
        Asking(asks);
        Answer(fields.Length == 0 ? "X-Y: z" : fields, length, status);
        exchange.DigestWish = BodyDigests.Wish(exchange.Request.Fields, Plan);
        Assert.True(digests.Tell(exchange));
        Assert.Empty(Added());
        Assert.Same(body, exchange.ResponseSource);
    }

    [Fact]
    public void A_kept_source_hashes_the_next_body_from_its_beginning()
    {
        for (var n = 0; n < 3; n++)
        {
            Answer($"Repr-Digest: {Of("sha-256")}");
            Feed(Bytes, 5);
            digests.Verify(exchange, Plan);
            exchange.ResponseSource!.TryRead(out var piece); // And left.
            Assert.Equal(5, piece.Length);
            exchange.End();
        }

        Answer($"Repr-Digest: {Of("sha-256")}");
        Feed(Bytes, 5);
        digests.Verify(exchange, Plan);
        Assert.Equal(BodyStatus.End, Read(int.MaxValue).Status);
        exchange.End();
    }

    [Fact]
    public void A_body_costs_no_memory_once_it_has_run()
    {
        Answer($"Repr-Digest: {Of("sha-256", new byte[1 << 20])}", length: 1 << 20);
        var piece = new byte[1 << 14];
        body.IsLean = true;
        var before = 0L;
        for (var n = 0; n < 40; n++)
        {
            if (n == 8) before = GC.GetAllocatedBytesForCurrentThread();
            body.Begin(1 << 20);
            exchange.ResponseSource = body;
            digests.Verify(exchange, Plan);
            for (var i = 0; i < 64; i++) body.Feed(piece);
            body.End();
            while (exchange.ResponseSource!.TryRead(out var next) == BodyStatus.Piece) exchange.ResponseSource.Advance(next.Length);
            exchange.LetGoOfFilters();
        }

        var each = (GC.GetAllocatedBytesForCurrentThread() - before) / 32;
        Assert.True(each < 200, $"{each} bytes a body"); // The queue's own.
        Assert.Equal(40, digests.Verified);
    }

    private static string Of(string algorithm, byte[]? bytes = null) =>
        $"{algorithm}=:{Convert.ToBase64String(algorithm == "sha-512" ? SHA512.HashData(bytes ?? Bytes) : SHA256.HashData(bytes ?? Bytes))}:";

    private void Asking(string fields)
    {
        exchange.End();
        exchange = new Exchange(loop, buffers);
        var bytes = Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
        var head = new RequestHead();
        Assert.Equal(ParseStatus.Done, RequestParser.Parse(bytes, HeadLimits.Default, head, out _));
        exchange.Request.Fields.Reset(bytes, 0, head.Fields);
        (exchange.Request.KnownMethod, exchange.Request.Version, exchange.Request.AcceptsTrailers) = (KnownMethod.Get, HttpVersion.Http11, head.AcceptsTrailers);
    }

    private void Answer(string fields, long length = 31, int status = 200)
    {
        exchange.Request.KnownMethod = KnownMethod.Get;
        var bytes = Encoding.ASCII.GetBytes($"HTTP/1.1 {status} X\r\n{(fields.Length > 0 ? fields : "X-Y: z")}\r\n\r\n");
        var head = new ResponseHead();
        Assert.Equal(ParseStatus.Done, ResponseParser.Parse(bytes, HeadLimits.Default, KnownMethod.Get, head, out _));
        exchange.Response.Clear();
        exchange.Response.Fields.Reset(bytes, 0, head.Fields);
        (exchange.Response.Status, exchange.Response.HasBody, exchange.Response.BodyLength) = (status, true, length);
        body.Begin(length);
        exchange.ResponseSource = body;
    }

    private void Feed(byte[] bytes, int split, string? trailers = null)
    {
        body.Feed(bytes[..split]);
        body.Feed(bytes[split..]);
        body.End();
        if (trailers is null) return;
        var lines = Encoding.ASCII.GetBytes($"HTTP/1.1 200 X\r\n{trailers}\r\n\r\n");
        var head = new ResponseHead();
        Assert.Equal(ParseStatus.Done, ResponseParser.Parse(lines, HeadLimits.Default, KnownMethod.Get, head, out _));
        body.HasTrailers = true;
        body.TakeTrailers(lines, head.Fields);
    }

    private (BodyStatus Status, string Got) Read(int take)
    {
        var got = new StringBuilder();
        while (true)
        {
            var status = exchange.ResponseSource!.TryRead(out var piece);
            if (status != BodyStatus.Piece) return (status, got.ToString());
            var count = Math.Min(take, piece.Length);
            got.Append(Encoding.ASCII.GetString(piece[..count]));
            exchange.ResponseSource.Advance(count);
        }
    }

    private List<string> Added(FieldBlock? of = null)
    {
        var lines = new List<string>();
        foreach (ref readonly var field in (of ?? exchange.Response.Fields).Added)
        {
            if (field.Known is KnownField.Other or KnownField.Trailer) lines.Add($"{field.Name}: {field.Value}");
        }

        return lines;
    }

    private sealed class Nowhere : LogTarget
    {
        public override void Reopen()
        {
        }

        protected override void Write(ReadOnlySpan<byte> lines)
        {
        }
    }
}
