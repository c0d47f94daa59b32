// What a generator is asked to do, as read from its command line.

using System.Globalization;
using System.Text;

namespace Weir.Bench.Load;

internal sealed record Work
{
    public int Port { get; init; }

    public int Connections { get; init; } = 64;

    public double Seconds { get; init; } = 1;

    /// <summary>Ends after so many requests instead; 0: after the seconds.</summary>
    public long Requests { get; init; }

    /// <summary>Requests begun each second, whatever the answers do (an open loop); 0: the next one follows an answer.</summary>
    public double Rate { get; init; }

    /// <summary>An open loop only: the rate that follows, of requests for /then.</summary>
    public double ThenRate { get; init; }

    /// <summary>For how long the rate that follows is kept up; 0: none does.</summary>
    public double ThenSeconds { get; init; }

    /// <summary>Whether an answer of any status is an answer, and what fails is counted apart and never ends the run.</summary>
    public bool AnyStatus { get; init; }

    public string Path { get; init; } = "/";

    /// <summary>A {n} in the path counts up from here, to so many numbers and over again; 0: for ever.</summary>
    public long From { get; init; }

    public long Numbers { get; init; }

    /// <summary>A file with a path in each line, of which <see cref="Requests"/> from line <see cref="From"/> on are asked for, in their order.</summary>
    public string Sequence { get; init; } = "";

    /// <summary>The codings it takes; empty: it does not say.</summary>
    public string Codings { get; init; } = "";

    public string Host { get; init; } = "bench.test";

    /// <summary>Bytes of each request's body.</summary>
    public long Upload { get; init; }

    /// <summary>A new connection for each request, ended by the server.</summary>
    public bool Close { get; init; }

    /// <summary>Whether it speaks TLS.</summary>
    public bool Tls { get; init; }

    /// <summary>Over TLS, a new connection for each request: each after a client's first goes on with the session before it.</summary>
    public bool Resume { get; init; }

    /// <summary>Loopback addresses to connect from: each has its own 28,000 ports.</summary>
    public int Sources { get; init; } = 1;

    public byte[] Head => HeadFor(Path);

    public byte[] HeadFor(string path) => Encoding.ASCII.GetBytes(
        $"{(Upload > 0 ? "POST" : "GET")} {path} HTTP/1.1\r\nHost: {Host}\r\nUser-Agent: weir-bench\r\nAccept: */*\r\n" +
        (Codings.Length > 0 ? $"Accept-Encoding: {Codings}\r\n" : "") + (Close ? "Connection: close\r\n" : "") + (Upload > 0 ? $"Content-Length: {Upload}\r\n" : "") + "\r\n");

    public static Work Read(ReadOnlySpan<string> args)
    {
        var work = new Work();
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] is "--close" or "--any-status" or "--tls" or "--resume")
            {
                work = args[i] switch
                {
                    "--close" => work with { Close = true },
                    "--any-status" => work with { AnyStatus = true },
                    "--tls" => work with { Tls = true },
                    _ => work with { Tls = true, Close = true, Resume = true },
                };
                continue;
            }

            if (i + 1 == args.Length) throw new FormatException($"{args[i]} needs a value");
            var (name, value) = (args[i], args[++i]);
            work = name switch
            {
                "--port" => work with { Port = int.Parse(value, CultureInfo.InvariantCulture) },
                "--connections" => work with { Connections = int.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => work with { Seconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--requests" => work with { Requests = long.Parse(value, CultureInfo.InvariantCulture) },
                "--rate" => work with { Rate = double.Parse(value, CultureInfo.InvariantCulture) },
                "--then-rate" => work with { ThenRate = double.Parse(value, CultureInfo.InvariantCulture) },
                "--then-seconds" => work with { ThenSeconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--path" => work with { Path = value },
                "--host" => work with { Host = value },
                "--upload" => work with { Upload = long.Parse(value, CultureInfo.InvariantCulture) },
                "--from" => work with { From = long.Parse(value, CultureInfo.InvariantCulture) },
                "--numbers" => work with { Numbers = long.Parse(value, CultureInfo.InvariantCulture) },
                "--sequence" => work with { Sequence = value },
                "--codings" => work with { Codings = value },
                "--sources" => work with { Sources = int.Parse(value, CultureInfo.InvariantCulture) },
                _ => throw new FormatException($"unknown option {name}"),
            };
        }

        return work.Tls && work.Upload > 0 ? throw new FormatException("uploads go without TLS") : work;
    }
}
