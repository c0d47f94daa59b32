// A body that is looked at, or told about, as it passes. Its bytes are hashed before they are handed on: where its length is known,
// the last piece goes on only if the digest is right; where only its end tells, that end does. So a client is never told that a
// wrong body is whole.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Integrity;

/// <summary>Hashes what passes. Leased from <see cref="BodyDigests"/>; one exchange's own.</summary>
internal sealed class DigestSource(BodyDigests home) : BodyFilter, IDisposable
{
    // Bytes hashed at once: before more are, those have gone on.
    private const int MostAtOnce = 64 << 10;

    private static readonly FieldIndex NoFields = new();

    private readonly Hashes hashes = new();
    private readonly FieldBlock ownTrailers = new();
    private readonly byte[] texts = new byte[2 * DigestField.MostText];
    private Exchange exchange = null!;
    private BodySource inner = null!;
    private DigestValues representation;
    private DigestValues content;
    private DigestAlgorithm algorithm; // What counts; none: the trailers tell.
    private DigestWish wish; // What is told behind the body.
    private bool isWhole; // What is verified is a whole representation.
    private long length; // -1: the end tells.
    private long hashed;
    private int ahead; // Bytes of the next piece that are hashed already.
    private bool isJudged;
    private FaultCause failure;
    private FieldBlock? trailers;

    internal DigestSource? NextFree { get; set; }

    public override Signal Ready => inner.Ready;

    public override long AskAgainAt => inner.AskAgainAt;

    public override long Length => inner.Length;

    public override FaultCause Failure => failure == FaultCause.None ? inner.Failure : failure;

    public override FieldBlock? Trailers => trailers ?? inner.Trailers;

    public override bool IsAtEnd => isJudged && failure == FaultCause.None && inner.IsAtEnd;

    /// <summary>Verifies.</summary>
    /// <param name="of">The exchange.</param>
    /// <param name="source">The body.</param>
    /// <param name="bytes">How many there are to be; -1: its end tells.</param>
    /// <param name="ofRepresentation">What the digest of the representation is to be.</param>
    /// <param name="ofContent">What that of the content is to be.</param>
    /// <param name="by">What is compared; none: it stands in the trailers.</param>
    /// <param name="isRepresentation">Whether the body is the whole representation.</param>
    public void Verify(Exchange of, BodySource source, long bytes, in DigestValues ofRepresentation, in DigestValues ofContent, DigestAlgorithm by, bool isRepresentation)
    {
        Begin(of, source, bytes);
        (representation, content, algorithm, isWhole, wish) = (ofRepresentation, ofContent, by, isRepresentation, default);
        hashes.Begin(by is DigestAlgorithm.None or DigestAlgorithm.Sha256, by is DigestAlgorithm.None or DigestAlgorithm.Sha512);
    }

    /// <summary>Tells digests behind the body.</summary>
    public void Tell(Exchange of, BodySource source, DigestWish wanted)
    {
        Begin(of, source, -1);
        wish = wanted;
        hashes.Begin(wanted.Representation == DigestAlgorithm.Sha256 || wanted.Content == DigestAlgorithm.Sha256, wanted.Representation == DigestAlgorithm.Sha512 || wanted.Content == DigestAlgorithm.Sha512);
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (failure != FaultCause.None) return BodyStatus.Broken;
        var status = inner.TryRead(out var next);
        if (status == BodyStatus.Piece)
        {
            if (next.Length > MostAtOnce) next = next[..MostAtOnce];
            if (next.Length > ahead)
            {
                hashes.Append(next[ahead..]);
                hashed += next.Length - ahead;
                ahead = next.Length;
            }

            if (length >= 0 && hashed >= length && !isJudged) Judge();
            if (failure != FaultCause.None) return BodyStatus.Broken;
            piece = next;
        }
        else if (status == BodyStatus.End && !isJudged)
        {
            Judge();
            if (failure != FaultCause.None) return BodyStatus.Broken;
        }

        return status;
    }

    public override void Advance(int count)
    {
        inner.Advance(count);
        ahead -= count;
    }

    public override void End()
    {
        hashes.Stop();
        (exchange, inner, trailers) = (null!, null!, null);
        home.TakeBack(this);
    }

    public void Dispose() => hashes.Dispose();

    private void Begin(Exchange of, BodySource source, long bytes)
    {
        (exchange, inner, length) = (of, source, bytes);
        (hashed, ahead, isJudged, failure, trailers) = (0, 0, false, FaultCause.None, null);
        of.Hold(this);
    }

    private void Judge()
    {
        isJudged = true;
        if (!wish.IsNone)
        {
            TellBehind();
            return;
        }

        if (algorithm == DigestAlgorithm.None) ReadTrailers();
        if (algorithm == DigestAlgorithm.None) return; // They were announced and did not come, or are none that are known.
        Span<byte> room = stackalloc byte[DigestField.MostBytes];
        var digest = hashes.Current(algorithm, room);
        var isRight = (length < 0 || hashed == length) && representation.Agrees(algorithm, digest) && content.Agrees(algorithm, digest);
        if (isRight)
        {
            home.CountVerified();
            return;
        }

        failure = FaultCause.WrongDigest;
        home.Mistold(exchange, algorithm, representation.Agrees(algorithm, digest) ? DigestField.ContentDigest : DigestField.ReprDigest);
    }

    private void ReadTrailers()
    {
        if (inner.Trailers is not { } behind) return;
        if (isWhole) representation = BodyDigests.Received(behind, DigestField.ReprDigest);
        content = BodyDigests.Received(behind, DigestField.ContentDigest);
        algorithm = BodyDigests.Stronger(representation.Strongest, content.Strongest);
    }

    private void TellBehind()
    {
        trailers = inner.Trailers;
        if (trailers is null)
        {
            ownTrailers.Reset([], 0, NoFields);
            trailers = ownTrailers;
        }

        if (wish.Representation != DigestAlgorithm.None) Add(wish.Representation, DigestField.ReprDigest, 0);
        if (wish.Content != DigestAlgorithm.None) Add(wish.Content, DigestField.ContentDigest, DigestField.MostText);
        home.CountTold(isBehind: true);
    }

    private void Add(DigestAlgorithm by, byte[] name, int at)
    {
        Span<byte> room = stackalloc byte[DigestField.MostBytes];
        var written = DigestField.Write(by, hashes.Current(by, room), texts.AsSpan(at, DigestField.MostText));
        trailers!.Set(KnownField.Other, ByteRange.Of(name), new ByteRange(texts, at, written));
    }
}
