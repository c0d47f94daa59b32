// Answers that are dictionaries are taken as such behind the answers, once for each body: hashed and copied into one piece.

using System.Security.Cryptography;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Makes a dictionary of one body.</summary>
internal sealed class Learning : DiskJob
{
    private readonly StoredResponse response;
    private readonly Cache cache;
    private readonly byte[] url;
    private readonly UrlMatch match;

    private Learning(StoredResponse response, Cache cache, byte[] url, UrlMatch match)
        : base(null)
    {
        (this.response, this.cache, this.url, this.match) = (response, cache, url, match);
        Abandon();
    }

    /// <summary>Looks at an answer that is whole. The caller holds a reference to it.</summary>
    public static void Look(StoredResponse response, Cache cache, byte[] url)
    {
        if (response.Status != 200 || !response.Body.IsWhole || !cache.Dictionaries.Takes(response.Body.Length)) return;
        // RFC 9842 §8: over TLS only.
        if (!url.AsSpan().StartsWith("https://"u8) || IsForFew(response) || !UseAsDictionary.TryRead(response.Lines, url, out var match) || !response.Body.TryLearn()) return;
        response.Hold();
        if (Recoding.TryRun(new Learning(response, cache, url, match))) return;
        response.Body.Forget();
        response.LetGo();
    }

    protected override void Work()
    {
        try
        {
            var body = response.Body;
            var content = GC.AllocateUninitializedArray<byte>((int)body.Length);
            for (var at = 0; at < content.Length;)
            {
                var piece = body.From(at, long.MaxValue);
                piece.CopyTo(content.AsSpan(at));
                at += piece.Length;
            }

            cache.Dictionaries.TryPut(new SharedDictionary(content, SHA256.HashData(content)), url, match);
        }
        finally
        {
            response.LetGo();
        }
    }

    protected override void LetGo()
    {
    }

    // What depends on who asks may hold what is nobody else's; and a body in a coding is not what its client ends up with.
    private static bool IsForFew(StoredResponse response)
    {
        foreach (var line in new StoredLines(response.Lines))
        {
            switch (KnownFields.Lookup(line.Name))
            {
                case KnownField.SetCookie:
                case KnownField.ContentEncoding when !Ascii.EqualsIgnoreCase(line.Value, "identity"u8):
                    return true;
                case KnownField.Vary:
                    foreach (var name in new ListElements(line.Value))
                    {
                        if (Ascii.EqualsIgnoreCase(name, "cookie"u8) || Ascii.EqualsIgnoreCase(name, "authorization"u8)) return true;
                    }

                    break;
            }
        }

        return false;
    }
}
