// What a run is asked for: bench/compare's options, and where the built tools lie.

using System.Globalization;

namespace Weir.Bench.SideBySide;

internal sealed record Settings
{
    public const string Usage =
        "bench/compare [--quick] [--rows small,64k,download,upload,connect,idle,routes,log,p99,start,memory,alloc | tls | slow-server,retry-storm,choice-cpu | cache | compress] [--peers weir,nginx,haproxy,yarp,nginx-large,varnish,caddy]\n" +
        "              [--rounds N] [--seconds S] [--requests N (cache-zipf)] [--cpus PROXY,LOAD[,ORIGIN]] [--weir PATH] [--markdown]";

    private static readonly string[] Forwarders = ["haproxy", "yarp"];
    private static readonly string[] Others = ["varnish", "caddy"];

    /// <summary>The repository.</summary>
    public string Home { get; init; } = "";

    public bool Quick { get; init; }

    public bool Markdown { get; init; }

    public IReadOnlyList<string> Rows { get; init; } = [];

    public IReadOnlyList<string> Peers { get; init; } = [];

    public int Rounds { get; init; }

    /// <summary>Of one measurement.</summary>
    public double Seconds { get; init; }

    /// <summary>Of the sequence that has no other end; 0: its own number.</summary>
    public int Requests { get; init; }

    public IReadOnlyList<int> Cpus { get; init; } = [];

    public string Weir { get; init; } = "";

    public string Tools => Path.Combine(Home, "artifacts", "bench");

    public string Templates => Path.Combine(Home, "bench", "peers");

    public static Settings Read(string home, ReadOnlySpan<string> args)
    {
        var settings = new Settings { Home = home, Weir = Path.Combine(home, "artifacts", "weir") };
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] is "--quick" or "--markdown")
            {
                settings = args[i] == "--quick" ? settings with { Quick = true } : settings with { Markdown = true };
                continue;
            }

            if (i + 1 == args.Length) throw new FormatException($"{args[i]} needs a value, or is not known\n{Usage}");
            var (name, value) = (args[i], args[++i]);
            settings = name switch
            {
                "--rows" => settings with { Rows = value.Split(',') },
                "--peers" => settings with { Peers = value.Split(',') },
                "--rounds" => settings with { Rounds = int.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => settings with { Seconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--cpus" => settings with { Cpus = [.. value.Split(',').Select(int.Parse)] },
                "--requests" => settings with { Requests = int.Parse(value, CultureInfo.InvariantCulture) },
                "--weir" => settings with { Weir = Path.GetFullPath(value) },
                _ => throw new FormatException($"unknown option {name}\n{Usage}"),
            };
        }

        if (settings.Peers.FirstOrDefault(p => p is not ("weir" or "nginx" or "nginx-large" or "haproxy" or "yarp" or "varnish" or "caddy")) is { } stranger) throw new FormatException($"unknown peer {stranger}\n{Usage}");
        return settings with
        {
            Peers = settings.Peers.Count > 0 ? settings.Peers : ["weir", "nginx", .. settings.Rows.Count == 0 || !settings.Rows.All(Row.IsAboutCaching) ? Forwarders : [], .. settings.Rows.Any(Row.IsAboutCaching) ? Others : []],
            Rounds = settings.Rounds > 0 ? settings.Rounds : settings.Quick ? 2 : 5,
            Seconds = settings.Seconds > 0 ? settings.Seconds : settings.Quick ? 1 : 3,
        };
    }
}
