// What a byte costs that is made small, at about the same size: Weir's gzip at its own level against nginx's at the level that
// makes it as small, Weir's zstd against Caddy's, which has one level, and Weir's Brotli alone.

using System.Globalization;
using System.IO.Compression;

namespace Weir.Bench.SideBySide;

/// <summary>A peer that makes bodies small in one way. Its host chooses the way in its own configuration.</summary>
internal sealed record Coder(string Peer, string Coding, int Level)
{
    public string Host => $"{Coding}{Level}.test";

    public string Title => $"{Peer} {Coding}{(Level > 0 ? $" {Level}" : "")}";
}

internal sealed record CompressionScene() : Scene("compress", "answers of 128 KiB compressed as they pass, 16 kept connections")
{
    private const int Length = 128 * 1024;

    /// <summary>Sizes that are apart by less are the same: a higher level can even make a little more.</summary>
    private const double Same = 1.01;

    // What weir's own levels are, and those around them.
    private static readonly Coder[] Weirs = [new("weir", "gzip", 5), .. new[] { 1, 2, 3, 4, 5, 6 }.Select(l => new Coder("weir", "zstd", l)), new("weir", "br", 4)];

    private static readonly Coder[] Nginxes = [.. Enumerable.Range(1, 9).Select(l => new Coder("nginx", "gzip", l))];

    public static IEnumerable<Coder> Of(string peer) => Weirs.Concat(Nginxes).Where(c => c.Peer == peer);

    public override void Measure(Run run)
    {
        var proxies = new Dictionary<string, Proxy>();
        foreach (var peer in run.Everybody.Where(p => p.Compresses))
        {
            try
            {
                proxies[peer.Name] = Proxy.Start(run.Stage, peer, Setup.Coding, run.Origin);
            }
            catch (InvalidOperationException e)
            {
                Run.Say($"{peer.Name} is left out: {e.Message}");
            }
        }

        foreach (var (kind, title) in (ReadOnlySpan<(string, string)>)[("html", "HTML"), ("json", "JSON"), ("js", "JavaScript")])
        {
            var path = $"/text/{kind}/{Length}";
            var plain = Fetch(run.Origin, "bench.test", path, "").Body;
            var sizes = new Dictionary<Coder, int>();
            foreach (var coder in Weirs.Concat(Nginxes).Append(new("caddy", "zstd", 0)).Append(new("caddy", "gzip", 0)))
            {
                if (proxies.TryGetValue(coder.Peer, out var proxy) && SizeOf(proxy.Port, coder, path, plain) is { } size) sizes[coder] = size;
            }

            Coder[] chosen = [.. Chosen(sizes)];
            var samples = new List<(Coder Coder, LoadSample Sample)>();
            foreach (var coder in chosen) run.Load(proxies[coder.Peer].Port, TimeSpan.FromSeconds(60), [.. Arguments(coder, path), "--seconds", "0.5"]);
            for (var round = 1; round <= run.Settings.Rounds; round++)
            {
                for (var turn = 0; turn < chosen.Length; turn++)
                {
                    var coder = chosen[(turn + round) % chosen.Length];
                    var sample = run.Sample(Name, $"{kind} {coder.Title}", proxies[coder.Peer], round, 0, [.. Closed(run), .. Arguments(coder, path)]);
                    if (sample.Load.Requests == 0 || sample.Load.Errors > 0)
                    {
                        Run.Say($"{Name} {kind} {coder.Title} round {round}, which does not count: {sample.Load.Requests} answered, {sample.Load.Errors} errors");
                        run.Fail();
                        continue;
                    }

                    samples.Add((coder, sample));
                    Run.Say(FormattableString.Invariant($"{Name} {kind,-4} {coder.Title,-12} round {round}: {sample.Total * 1000 / Length:F2} ns a byte, {sizes[coder]:N0} bytes"));
                }
            }

            run.Scenes.Add(Table($"{title}, {Length / 1024} KiB", ["bytes", "of the whole", "CPU, ns a byte", "µs per answer", "others %", "÷ its rival"], chosen.Select(coder =>
            {
                LoadSample[] Turns(Coder one) => [.. samples.Where(s => s.Coder == one).Select(s => s.Sample)];
                var own = Turns(coder);
                var rival = coder.Peer == "weir" ? chosen.FirstOrDefault(c => c.Peer != "weir" && c.Coding == coder.Coding) : null;
                var ratio = rival is null ? "" : Number(Median.Of(own.Join(Turns(rival), a => a.Round, b => b.Round, (a, b) => a.Total / b.Total)));
                var total = Median.Of(own.Select(s => s.Total));
                return (coder.Title, (IEnumerable<string>)[sizes[coder].ToString("N0", CultureInfo.InvariantCulture), (sizes[coder] / (double)Length).ToString("P1", CultureInfo.InvariantCulture), Number(total * 1000 / Length), Number(total), Number(Median.Of(own.Select(s => s.OthersShare)) * 100), ratio]);
            })));
        }

        foreach (var proxy in proxies.Values) run.Stage.Stop(proxy.Process);
    }

    // Each against the rival's lowest level that is as small, or its smallest; where only the rival has one level, ours is what is chosen.
    private static IEnumerable<Coder> Chosen(Dictionary<Coder, int> sizes)
    {
        Coder? Nearest(Coder[] of, int size) => of.Where(c => sizes.TryGetValue(c, out var s) && s <= size * Same).MinBy(c => c.Level) ?? of.Where(sizes.ContainsKey).MinBy(c => sizes[c]);
        var caddy = new Coder("caddy", "zstd", 0);
        if (sizes.TryGetValue(Weirs[0], out var gzip))
        {
            yield return Weirs[0];
            if (Nearest(Nginxes, gzip) is { } nginx) yield return nginx;
        }

        Coder[] zstds = [.. Weirs.Where(c => c.Coding == "zstd")];
        var ours = sizes.TryGetValue(caddy, out var theirs) ? Nearest(zstds, theirs) : zstds.FirstOrDefault(c => c.Level == 3 && sizes.ContainsKey(c));
        if (ours is not null) yield return ours;
        if (sizes.ContainsKey(caddy)) yield return caddy;
        if (sizes.ContainsKey(Weirs[^1])) yield return Weirs[^1];
    }

    private static IEnumerable<string> Arguments(Coder coder, string path) => ["--host", coder.Host, "--path", path, "--codings", coder.Coding, "--connections", "16"];

    // Null where it does not compress at all. What comes back must be what was sent; zstd is for the tests, which have a decoder.
    private static int? SizeOf(int port, Coder coder, string path, byte[] plain)
    {
        var (body, coding) = Fetch(port, coder.Host, path, coder.Coding);
        if (coding != coder.Coding)
        {
            Run.Say($"{coder.Title} answers with coding '{coding}': left out");
            return null;
        }

        if (coding == "zstd") return body.Length;
        using Stream decoder = coding == "br" ? new BrotliStream(new MemoryStream(body), CompressionMode.Decompress) : new GZipStream(new MemoryStream(body), CompressionMode.Decompress);
        var again = new MemoryStream();
        decoder.CopyTo(again);
        return again.ToArray().AsSpan().SequenceEqual(plain) ? body.Length : throw new InvalidOperationException($"{coder.Title} changes bodies");
    }

    private static (byte[] Body, string Coding) Fetch(int port, string host, string path, string codings)
    {
        using var client = new HttpClient();
        using var get = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{port}{path}") { Headers = { Host = host } };
        if (codings.Length > 0) get.Headers.Add("Accept-Encoding", codings);
        using var answer = client.Send(get);
        using var body = new MemoryStream();
        answer.EnsureSuccessStatusCode().Content.ReadAsStream().CopyTo(body);
        return (body.ToArray(), string.Join(',', answer.Content.Headers.ContentEncoding));
    }
}
