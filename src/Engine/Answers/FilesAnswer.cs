// Files from a folder: GET and HEAD, conditions, one range, an index, compressed siblings, digests (RFC 9530). Nothing outside the folder is
// reached: the path is the resolved one, each of its segments is a plain name, and the file that was opened must lie below
// the root after links are followed. Hidden files do not exist, but for /.well-known (RFC 8615). RFC 9110 §13, §14.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Answers;

/// <summary>Serves files (`files`). Immutable.</summary>
public sealed class FilesAnswer(string root, string[] index, bool precompressed) : Answer
{
    private static readonly (string Suffix, string Coding)[] Codings = [(".br", "br"), (".zst", "zstd"), (".gz", "gzip")];
    private static readonly byte[][] CodingNames = [.. Codings.Select(static c => Encoding.ASCII.GetBytes(c.Coding))];
    private static readonly ByteRange TypeName = ByteRange.Of("Content-Type"u8.ToArray());
    private static readonly ByteRange TagName = ByteRange.Of("ETag"u8.ToArray());
    private static readonly ByteRange ModifiedName = ByteRange.Of("Last-Modified"u8.ToArray());
    private static readonly ByteRange RangesName = ByteRange.Of("Accept-Ranges"u8.ToArray());
    private static readonly ByteRange RangesValue = ByteRange.Of("bytes"u8.ToArray());
    private static readonly ByteRange ContentRangeName = ByteRange.Of("Content-Range"u8.ToArray());
    private static readonly ByteRange AllowName = ByteRange.Of("Allow"u8.ToArray());
    private static readonly ByteRange AllowValue = ByteRange.Of("GET, HEAD"u8.ToArray());
    private static readonly ByteRange VaryName = ByteRange.Of("Vary"u8.ToArray());
    private static readonly ByteRange VaryValue = ByteRange.Of("Accept-Encoding"u8.ToArray());
    private static readonly ByteRange CodingName = ByteRange.Of("Content-Encoding"u8.ToArray());
    private static readonly ByteRange ReprDigestName = ByteRange.Of(DigestField.ReprDigest);
    private static readonly ByteRange ContentDigestName = ByteRange.Of(DigestField.ContentDigest);
    private static readonly ByteRange LocationName = ByteRange.Of("Location"u8.ToArray());

    public override async LoopTask<Fault> PrepareAsync(Exchange exchange)
    {
        var request = exchange.Request;
        if (request.KnownMethod is not (KnownMethod.Get or KnownMethod.Head))
        {
            OwnResponse.Begin(exchange, 405, default, default);
            exchange.Response.Fields.Add(KnownField.Allow, AllowName, AllowValue);
            return Fault.None;
        }

        if (Locate(exchange) is not { } path) return new Fault(FaultCause.NoRoute, Side.Client, Stage.Policy);
        var job = new OpenFile(exchange.Loop, root, path, index, precompressed ? Wanted(request) : []) { WantsDigest = Named(Algorithm(exchange)) };
        if (!DiskThreads.Shared.TryRun(job)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        var wake = await exchange.Flow.FirstOf(job.Done, exchange.Deadline(exchange.Timeouts.Idle));
        if (wake != Wake.First)
        {
            job.Abandon();
            return wake == Wake.Cancelled ? exchange.Interruption : new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        }

        if (job.IsFolder) return RedirectToFolder(exchange);
        if (job.File is null) return new Fault(job.Trouble is null ? FaultCause.NoRoute : FaultCause.Exhausted, job.Trouble is null ? Side.Client : Side.Proxy, Stage.Policy);
        Answer(exchange, job);
        return Fault.None;
    }

    // The matched path is decoded and resolved; what may not be a file's name is not one.
    private static string? Locate(Exchange exchange)
    {
        var request = exchange.Request;
        var raw = request.ForwardedPath.Span;
        if (raw.IsEmpty || !exchange.Scratch.TryTake(raw.Length + 1, out var room, out _)) return null;
        if (Wire.Targets.TargetPath.Normalize(raw, room, out var length) == Wire.Targets.PathVerdict.Unsafe) return null;
        var path = Encoding.UTF8.GetString(room[..length]);
        foreach (var segment in (path.StartsWith("/.well-known/", StringComparison.Ordinal) ? path[13..] : path).Split('/'))
        {
            if (segment.StartsWith('.') || segment.Contains('\0', StringComparison.Ordinal)) return null;
        }

        return path.Contains('%', StringComparison.Ordinal) && (path.Contains("%2F", StringComparison.Ordinal) || path.Contains("%5C", StringComparison.Ordinal)) ? null : path;
    }

    private static (string Suffix, string Coding)[] Wanted(Request request)
    {
        Span<int> qualities = stackalloc int[Codings.Length];
        AcceptedCodings.Read(request.Fields, CodingNames, qualities);
        var order = new List<(int Quality, (string, string) Coding)>();
        for (var i = 0; i < Codings.Length; i++)
        {
            if (qualities[i] > 0) order.Add((qualities[i], Codings[i]));
        }

        return [.. order.OrderByDescending(o => o.Quality).Select(o => o.Coding)];
    }

    private static Fault RedirectToFolder(Exchange exchange)
    {
        var path = exchange.Request.Path.Span;
        if (!exchange.Scratch.TryTake(path.Length + 2 + exchange.Request.Query.Length, out var room, out var range)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        var to = new SpanWriter(room);
        to.Write(path);
        to.Write((byte)'/');
        if (exchange.Request.HasQuery)
        {
            to.Write((byte)'?');
            to.Write(exchange.Request.Query.Span);
        }

        OwnResponse.Begin(exchange, 308, default, default);
        // "//evil" would be another host: a folder's name never begins so.
        exchange.Response.Fields.Add(KnownField.Location, LocationName, room[1] == '/' ? ByteRange.Of("/"u8.ToArray()) : exchange.Scratch.Trim(range, to.Length));
        return Fault.None;
    }

    private void Answer(Exchange exchange, OpenFile job)
    {
        var response = exchange.Response;
        var fields = exchange.Request.Fields;
        var tag = Encoding.ASCII.GetBytes($"\"{job.Modified.Ticks:x}-{job.Length:x}{(job.Coding.Length > 0 ? "-" + job.Coding : "")}\"");
        var now = exchange.Loop.UtcNow;
        response.Clear();
        OwnResponse.AddDate(exchange);
        response.Fields.Add(KnownField.ETag, TagName, ByteRange.Of(tag));
        response.Fields.Add(KnownField.LastModified, ModifiedName, Text((job.Modified < now ? job.Modified : now).ToString("R", CultureInfo.InvariantCulture)));
        if (precompressed) response.Fields.Add(KnownField.Vary, VaryName, VaryValue);

        var condition = Preconditions.Evaluate(fields, tag, job.Modified);
        if (condition != 0)
        {
            job.Dispose();
            response.Status = condition;
            OwnResponse.SetLength(exchange, 0);
            exchange.OwnBody.Reset(default);
            exchange.ResponseSource = exchange.OwnBody;
            return;
        }

        response.Fields.Add(KnownField.AcceptRanges, RangesName, RangesValue);
        var (first, count, status) = ByteRanges.Choose(exchange.Request, tag, job.Modified, job.Length, now);
        response.Status = status;
        if (status != 416)
        {
            response.Fields.Add(KnownField.ContentType, TypeName, Text(MediaTypes.Of(job.Name)));
            if (job.Coding.Length > 0) response.Fields.Add(KnownField.ContentEncoding, CodingName, Text(job.Coding));
        }

        if (status == 206) response.Fields.Add(KnownField.ContentRange, ContentRangeName, Text($"bytes {first}-{first + count - 1}/{job.Length}"));
        if (status == 416) response.Fields.Add(KnownField.ContentRange, ContentRangeName, Text($"bytes */{job.Length}"));
        OwnResponse.SetLength(exchange, count);
        if (job.Digest is { } digest) Tell(exchange, digest);
        if (!response.HasBody || count == 0)
        {
            job.Dispose();
            exchange.OwnBody.Reset(default);
            exchange.ResponseSource = exchange.OwnBody;
            return;
        }

        var source = new FileSource(exchange.Loop, exchange.Buffers, job.TakeFile(), first, count);
        exchange.ResponseSource = source;
        exchange.Held = source;
    }

    // One hash answers both wishes; a client that has a wish for each in another algorithm is told of the representation.
    private static DigestAlgorithm Algorithm(Exchange exchange) => exchange.DigestWish.Representation != DigestAlgorithm.None ? exchange.DigestWish.Representation : exchange.DigestWish.Content;

    private static HashAlgorithmName? Named(DigestAlgorithm algorithm) => algorithm switch
    {
        DigestAlgorithm.Sha256 => HashAlgorithmName.SHA256,
        DigestAlgorithm.Sha512 => HashAlgorithmName.SHA512,
        _ => null,
    };

    // Of a part the representation's is the whole's; the content's is not known.
    private static void Tell(Exchange exchange, byte[] digest)
    {
        var (response, algorithm) = (exchange.Response, Algorithm(exchange));
        if (response.Status is not (200 or 206)) return;
        var text = new byte[DigestField.MostText];
        var value = new ByteRange(text, 0, DigestField.Write(algorithm, digest, text));
        if (exchange.DigestWish.Representation == algorithm) response.Fields.Add(KnownField.Other, ReprDigestName, value);
        if (exchange.DigestWish.Content == algorithm && response is { Status: 200, HasBody: true }) response.Fields.Add(KnownField.Other, ContentDigestName, value);
    }

    private static ByteRange Text(string text) => ByteRange.Of(Encoding.ASCII.GetBytes(text));
}
