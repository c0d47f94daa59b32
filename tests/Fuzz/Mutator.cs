// Makes a new input from those that were worth keeping.

using System.Text;

namespace Weir.Tests.Fuzz;

internal sealed class Mutator(Random random, Target target)
{
    private static readonly byte[] Telling = Encoding.Latin1.GetBytes("\r\n\t :;,=\"'\\/%.*?#@[](){}<>$&!|`^~_\0\x01\x7f\x80\xe9\xff-+0123456789aAeEfFxXzZ");
    private static readonly byte[][] Numbers = [.. new[] { "0", "-1", "00", "65535", "65536", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "ffffffffffffffff", "1e9", "0x10" }.Select(Encoding.Latin1.GetBytes)];

    private readonly byte[][] words = [.. target.Words.Select(Encoding.Latin1.GetBytes)];
    private readonly List<byte> bytes = [];

    public byte[] Next(List<byte[]> corpus)
    {
        // What was found last is looked at more often than what lies there for long.
        var recent = Math.Min(corpus.Count, 16);
        var from = random.Next(4) == 0 ? corpus[corpus.Count - 1 - random.Next(recent)] : corpus[random.Next(corpus.Count)];
        bytes.Clear();
        bytes.AddRange(from);
        for (var n = 1 << random.Next(0, 4); n > 0; n--) Change(corpus);
        return bytes.Count <= target.MostBytes ? [.. bytes] : [.. bytes.GetRange(0, target.MostBytes)];
    }

    private void Change(List<byte[]> corpus)
    {
        var at = random.Next(bytes.Count + 1);
        switch (random.Next(10))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = Telling[random.Next(Telling.Length)];
                break;
            case 2:
                bytes.Insert(at, Telling[random.Next(Telling.Length)]);
                break;
            case 3 when at < bytes.Count:
                bytes.RemoveRange(at, Math.Min(1 << random.Next(0, 6), bytes.Count - at));
                break;
            case 4 when at < bytes.Count:
                var copied = bytes.GetRange(at, Math.Min(random.Next(1, 40), bytes.Count - at));
                bytes.InsertRange(random.Next(bytes.Count + 1), copied);
                break;
            case 5 when at < bytes.Count:
                var repeated = bytes[at];
                bytes.InsertRange(at, Enumerable.Repeat(repeated, 1 << random.Next(0, 8)));
                break;
            case 6:
                var other = corpus[random.Next(corpus.Count)];
                var start = random.Next(other.Length + 1);
                bytes.InsertRange(at, other[start..Math.Min(other.Length, start + random.Next(1, 128))]);
                break;
            case 7:
                bytes.InsertRange(at, Numbers[random.Next(Numbers.Length)]);
                break;
            default:
                if (words.Length == 0) break;
                var word = words[random.Next(words.Length)];
                if (random.Next(2) == 0 && at + word.Length <= bytes.Count) bytes.RemoveRange(at, word.Length);
                bytes.InsertRange(at, word);
                break;
        }
    }
}
