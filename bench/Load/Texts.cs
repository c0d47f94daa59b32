// Texts that compress as real ones do: a page with a long list, an answer of an API, a script. The same in every run. Words
// are drawn by Zipf's law from a made vocabulary, around the markup that repeats: gzip leaves a quarter to a third of them.

using System.Text;

namespace Weir.Bench.Load;

internal static class Texts
{
    private static readonly Lazy<int> Html = new(() => Kernel.CreateMemoryFile(Fill(Page)));
    private static readonly Lazy<int> Json = new(() => Kernel.CreateMemoryFile(Fill(Items)));
    private static readonly Lazy<int> Script = new(() => Kernel.CreateMemoryFile(Fill(Functions)));

    /// <summary>A file of <see cref="Pattern.Size"/> bytes.</summary>
    public static int Of(Ask ask) => ask switch { Ask.Html => Html.Value, Ask.Json => Json.Value, _ => Script.Value };

    private static byte[] Fill(Action<StringBuilder, Prose> write)
    {
        var (text, prose) = (new StringBuilder(), new Prose(20261125));
        while (text.Length < Pattern.Size) write(text, prose);
        return Encoding.ASCII.GetBytes(text.ToString(0, Pattern.Size));
    }

    private static void Page(StringBuilder text, Prose prose)
    {
        if (text.Length == 0) text.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>").Append(prose.Words(5)).Append("</title>\n<link rel=\"stylesheet\" href=\"/assets/site.css\">\n</head>\n<body>\n<main class=\"page\">\n");
        var id = prose.Number(1_000_000);
        text.Append($"<article class=\"card\" id=\"item-{id}\">\n  <a class=\"card-link\" href=\"/articles/{prose.Word()}-{prose.Word()}-{id}\"><h2 class=\"card-title\">{prose.Words(4 + prose.Number(5))}</h2></a>\n");
        text.Append($"  <img src=\"/images/{prose.Hex(12)}.webp\" alt=\"{prose.Words(3)}\" width=\"{320 + (16 * prose.Number(20))}\" height=\"240\" loading=\"lazy\">\n  <p class=\"meta\"><time datetime=\"2026-{1 + prose.Number(12):D2}-{1 + prose.Number(28):D2}\">{1 + prose.Number(28)}.{1 + prose.Number(12)}.2026</time> <span class=\"author\">{prose.Words(2)}</span></p>\n");
        for (var i = 0; i < 1 + prose.Number(3); i++) text.Append($"  <p>{prose.Words(20 + prose.Number(60))}.</p>\n");
        text.Append("</article>\n");
    }

    private static void Items(StringBuilder text, Prose prose)
    {
        text.Append(text.Length == 0 ? "{\"items\":[" : ",");
        text.Append($"{{\"id\":{prose.Number(10_000_000)},\"uuid\":\"{prose.Hex(8)}-{prose.Hex(4)}-{prose.Hex(4)}-{prose.Hex(12)}\",\"name\":\"{prose.Words(3)}\",\"active\":{(prose.Number(2) == 0 ? "true" : "false")},\"price\":{prose.Number(1000)}.{prose.Number(100):D2},\"currency\":\"EUR\",");
        text.Append($"\"created_at\":\"2026-{1 + prose.Number(12):D2}-{1 + prose.Number(28):D2}T{prose.Number(24):D2}:{prose.Number(60):D2}:{prose.Number(60):D2}Z\",\"tags\":[\"{prose.Word()}\",\"{prose.Word()}\"],\"description\":\"{prose.Words(8 + prose.Number(20))}\",\"links\":{{\"self\":\"https://api.example.com/v1/items/{prose.Number(10_000_000)}\",\"owner\":null}}}}");
    }

    private static void Functions(StringBuilder text, Prose prose)
    {
        var (name, a, b) = (prose.Camel(), prose.Word(), prose.Word());
        text.Append($"export function {name}({a}, {b} = {prose.Number(100)}) {{\n  // {prose.Words(6 + prose.Number(6))}\n  if (!{a} || typeof {a} !== \"object\") return null;\n");
        for (var i = 0; i < 2 + prose.Number(5); i++)
        {
            var c = prose.Word();
            text.Append(prose.Number(4) switch
            {
                0 => $"  const {c} = this.{prose.Camel()}({a}.{prose.Word()}, {b} + {prose.Number(64)});\n",
                1 => $"  for (let i = 0; i < {a}.{c}.length; i++) {{\n    {b} += {a}.{c}[i].{prose.Word()} * {prose.Number(10)};\n  }}\n",
                2 => $"  if ({a}.{c} === \"{prose.Word()}\") {{\n    throw new Error(`{prose.Words(4)}: ${{{b}}}`);\n  }}\n",
                _ => $"  document.querySelector(\".{c}-{prose.Word()}\").addEventListener(\"click\", (event) => {prose.Camel()}(event, {b}));\n",
            });
        }

        text.Append($"  return {{ ...{a}, {prose.Word()}: {b}, {prose.Word()}: {prose.Number(1000)} }};\n}}\n\n");
    }

    private sealed class Prose
    {
        private const string Syllables = "ba be bi bo da de di do fa fe ga ge ka ke ki la le li lo ma me mi mo na ne ni no pa pe ra re ri ro sa se si so ta te ti to va ve vi an en in on ar er or st th ing ion";

        private readonly Random dice;
        private readonly string[] words = new string[4000];
        private readonly double[] sums = new double[4000];

        public Prose(int seed)
        {
            dice = new Random(seed);
            var syllables = Syllables.Split(' ');
            var sum = 0.0;
            for (var i = 0; i < words.Length; i++)
            {
                words[i] = string.Concat(Enumerable.Range(0, 1 + dice.Next(4)).Select(_ => syllables[dice.Next(syllables.Length)]));
                sums[i] = sum += 1 / (i + 3.0);
            }
        }

        public int Number(int below) => dice.Next(below);

        public string Hex(int digits) => string.Concat(Enumerable.Range(0, digits).Select(_ => "0123456789abcdef"[dice.Next(16)]));

        public string Word()
        {
            var at = Array.BinarySearch(sums, dice.NextDouble() * sums[^1]);
            return words[Math.Min(at < 0 ? ~at : at, words.Length - 1)];
        }

        public string Words(int count) => string.Join(' ', Enumerable.Range(0, count).Select(_ => Word()));

        public string Camel()
        {
            var second = Word();
            return $"{Word()}{char.ToUpperInvariant(second[0])}{second[1..]}";
        }
    }
}
