// Malformed and ambiguous messages through the running program, both ways. Every byte that reaches the origin and every byte
// that reaches the client goes through a strict reader that is not the proxy's own.

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Tests.Conformance;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed partial class CorpusTests
{
    private const int Lanes = 24;

    // Short times, so that what is cut short ends soon; long enough for a busy machine.
    private const string Times = "timeouts: { header: 1s, body: 1s, write: 5s, first_byte: 5s, idle: 2s, keep_alive: 400ms }\n";

    private static string CorpusFile(string name) => Path.Combine(Repository.Root, "tests", "EndToEnd", "Corpora", name);

    [Fact]
    public void Requests_reach_the_origin_strictly_or_not_at_all()
    {
        var cases = ReadCorpus("requests.txt", 3).Select(parts => (Name: parts[0], Expect: (string?)Unescape(parts[1]), Raw: Unescape(parts[2]))).ToArray();
        RunRequests(cases);
    }

    [Fact]
    public void Requests_of_public_suites_reach_the_origin_strictly_or_not_at_all()
    {
        var file = Path.Combine(Repository.Root, "..", "shared", "vectors", "http1", "requests.json");
        Assert.SkipUnless(File.Exists(file), "../shared/vectors/http1 is not there");
        var cases = new List<(string, string?, string)>();
        foreach (var vector in JsonDocument.Parse(File.ReadAllText(file)).RootElement.EnumerateArray())
        {
            var expect = vector.GetProperty("expect").GetString()!;
            var name = $"{vector.GetProperty("corpus").GetString()} | {vector.GetProperty("title").GetString()} | ";
            var isRefused = expect is "reject" or "codes:400" or "codes:501" && !VectorDifferences.All.Any(known => name.StartsWith(known.Case, StringComparison.Ordinal));
            cases.Add((name, isRefused ? "refused" : null, Encoding.Latin1.GetString(vector.GetProperty("raw").GetBytesFromBase64())));
        }

        RunRequests([.. cases]);
    }

    [Fact]
    public void Answers_reach_the_client_whole_or_visibly_broken()
    {
        var cases = ReadCorpus("answers.txt", 5).Select(parts => (Name: parts[0], Method: parts[1], Closes: parts[2] == "closes", Expect: parts[3], Raw: Unescape(parts[4]))).ToArray();
        var wrong = RunInLanes(cases, static (lane, one) =>
        {
            lane.Origin.Script = (one.Raw, one.Closes);
            var answer = lane.Ask($"{one.Method} /scripted HTTP/1.1\r\nHost: a\r\n\r\n", out var ended);
            var after = lane.Ask("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", out _);
            var reader = new StrictHttp(answer);
            var message = reader.Response(one.Method, ended, out _);
            if (message is null) return one.Expect == "broken" ? null : $"no answer but '{answer}'";
            if (!reader.IsAtEnd) return $"left over: '{reader.Rest}'";
            if (!after.Contains("\r\n\r\nseen /next", StringComparison.Ordinal) || after.Contains("evil", StringComparison.Ordinal)) return $"the next answer was '{after}'";
            var got = message.Status == 502 ? "502" : !message.IsWhole ? "broken" : $"whole {message.Body}".TrimEnd();
            if (got == "502" && one.Expect == "broken") return null; // The fault was seen before anything had been sent.
            return got == one.Expect ? null : $"expected {one.Expect}, got {got}";
        });
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static void RunRequests((string Name, string? Expect, string Raw)[] cases)
    {
        var wrong = RunInLanes(cases, static (lane, one) =>
        {
            var answers = lane.Ask(one.Raw, out _);
            if (lane.Origin.Failure is { } failure) return "the origin got " + failure;
            var seen = lane.Origin.Targets;

            // Each answer of the origin's stands for one whole message there, in order.
            var passed = SeenPattern().Matches(answers).Select(m => m.Groups[1].Value).ToArray();
            if (!passed.SequenceEqual(seen)) return $"the origin saw [{string.Join(' ', seen)}], the client [{string.Join(' ', passed)}]";
            var last = answers.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal) is var at && at >= 0 ? answers.Substring(at + 9, 3) : "nothing";
            var wasRefused = last[0] is '4' or '5';
            if (one.Expect is null) return null;
            if (one.Expect == "refused") return wasRefused ? null : $"not refused: {last}";
            var words = one.Expect.Split(' ');
            var targets = words.Where(word => word[0] == '/').ToArray();
            var status = words.FirstOrDefault(static word => char.IsAsciiDigit(word[0]));
            if (!targets.SequenceEqual(seen)) return $"expected {one.Expect}, the origin saw [{string.Join(' ', seen)}], last answer {last}";
            if (status is null ? wasRefused : !status.Split(',').Contains(last)) return $"expected {one.Expect}, last answer {last}";
            return status is null || answers.LastIndexOf("Connection: close", StringComparison.Ordinal) > answers.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal) ? null : "refused, but not closed";
        });
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    // Many cases at once, each lane with a listener and an origin of its own, so that every byte can be attributed.
    private static List<string> RunInLanes<T>(T[] cases, Func<Lane, T, string?> run)
        where T : notnull
    {
        var folder = Directory.CreateTempSubdirectory("weir-corpus-").FullName;
        var lanes = Enumerable.Range(0, Lanes).Select(i => new Lane(Path.Combine(folder, $"{i}.sock"))).ToArray();
        var listeners = string.Join(", ", lanes.Select(lane => $"\"unix:{lane.Path}\""));
        var sites = string.Concat(lanes.Select(lane => $"  - {{ listen: \"unix:{lane.Path}\", proxy: \"http://127.0.0.1:{lane.Origin.Port}\" }}\n"));
        var wrong = new ConcurrentQueue<string>();
        using (var weir = WeirProcess.Start($"{Times}listen: [{listeners}]\nsites:\n{sites}"))
        {
            var queue = new ConcurrentQueue<T>(cases);
            var threads = lanes.Select(lane => new Thread(() =>
            {
                while (queue.TryDequeue(out var one))
                {
                    lane.Origin.Reset();
                    string? verdict;
                    try
                    {
                        verdict = run(lane, one);
                    }
                    catch (NotStrictException e)
                    {
                        verdict = "the client got " + e.Message;
                    }

                    if (verdict is not null) wrong.Enqueue($"{Name(one)}: {verdict}");
                }
            })).ToArray();
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
            Assert.DoesNotContain("bug", weir.Said, StringComparison.Ordinal);
        }

        foreach (var lane in lanes) lane.Origin.Dispose();
        Directory.Delete(folder, recursive: true);
        return [.. wrong];
    }

    private static string Name<T>(T one) => one!.ToString()!.Split(',')[0];

    private static IEnumerable<string[]> ReadCorpus(string name, int columns) =>
        File.ReadLines(CorpusFile(name)).Where(static line => line.Length > 0 && line[0] != '#').Select(line =>
        {
            var parts = line.Split(" | ", columns);
            Assert.True(parts.Length == columns, line);
            return parts;
        });

    private static string Unescape(string text)
    {
        text = text.Replace("{X}", @"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", StringComparison.Ordinal)
            .Replace("{G}", @"GET /a HTTP/1.1\r\nHost: a\r\n", StringComparison.Ordinal)
            .Replace("{P}", @"POST /a HTTP/1.1\r\nHost: a\r\n", StringComparison.Ordinal);
        while (RepeatPattern().Match(text) is { Success: true } repeat)
        {
            var count = int.Parse(repeat.Groups[1].Value, CultureInfo.InvariantCulture);
            text = text[..repeat.Index] + string.Concat(Enumerable.Repeat(repeat.Groups[2].Value, count)) + text[(repeat.Index + repeat.Length)..];
        }

        return EscapePattern().Replace(text, static match => match.Value[1] switch
        {
            'r' => "\r",
            'n' => "\n",
            't' => "\t",
            '0' => "\0",
            'x' => ((char)int.Parse(match.Value.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString(),
            _ => "\\",
        });
    }

    [GeneratedRegex(@"\{(\d+)\*([^{}]*)\}")]
    private static partial Regex RepeatPattern();

    [GeneratedRegex(@"\\(x[0-9a-fA-F]{2}|.)")]
    private static partial Regex EscapePattern();

    [GeneratedRegex(@"X-Seen: (\S+)")]
    private static partial Regex SeenPattern();

    /// <summary>A way in and an origin that belong to one case at a time.</summary>
    private sealed class Lane(string path)
    {
        public string Path { get; } = path;

        public StrictOrigin Origin { get; } = new();

        /// <summary>Sends bytes and reads to the end of the connection.</summary>
        public string Ask(string raw, out bool endedInOrder)
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000, SendTimeout = 20_000 };
            socket.Connect(new UnixDomainSocketEndPoint(Path));
            var all = new MemoryStream();
            var buffer = new byte[65536];
            endedInOrder = true;
            try
            {
                socket.Send(Encoding.Latin1.GetBytes(raw));
            }
            catch (SocketException)
            {
                // Refused before it was all sent: the answer is there to be read.
            }

            try
            {
                int got;
                while ((got = socket.Receive(buffer)) > 0) all.Write(buffer, 0, got);
            }
            catch (SocketException e)
            {
                endedInOrder = false;
                if (e.SocketErrorCode == SocketError.TimedOut) throw new NotStrictException("no end of the connection");
            }

            return Encoding.Latin1.GetString(all.ToArray());
        }
    }

    /// <summary>Reads strictly, answers whole requests with what it saw, or as it was told to.</summary>
    private sealed class StrictOrigin : IDisposable
    {
        private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly List<string> targets = [];

        public StrictOrigin()
        {
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(128);
            new Thread(Accept) { IsBackground = true }.Start();
        }

        public int Port => ((IPEndPoint)listener.LocalEndPoint!).Port;

        /// <summary>The answer to "/scripted", and whether the connection ends behind it.</summary>
        public (string Raw, bool Closes) Script { get; set; }

        /// <summary>What a strict reader could not accept.</summary>
        public string? Failure { get; private set; }

        public string[] Targets
        {
            get
            {
                lock (targets) return [.. targets];
            }
        }

        public void Reset()
        {
            lock (targets) targets.Clear();
            Failure = null;
        }

        public void Dispose() => listener.Dispose();

        private void Accept()
        {
            try
            {
                while (true)
                {
                    var socket = listener.Accept();
                    new Thread(() => Serve(socket)) { IsBackground = true }.Start();
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private void Serve(Socket socket)
        {
            using var owned = socket;
            var text = "";
            var buffer = new byte[65536];
            try
            {
                int got;
                while ((got = socket.Receive(buffer)) > 0)
                {
                    text += Encoding.Latin1.GetString(buffer, 0, got);
                    while (text.Length > 0)
                    {
                        var reader = new StrictHttp(text);
                        if (reader.Request() is not { IsWhole: true } request) break;
                        text = reader.Rest;
                        if (request.Target == "/scripted")
                        {
                            socket.Send(Encoding.Latin1.GetBytes(Script.Raw));
                            if (Script.Closes) return;
                            continue;
                        }

                        lock (targets) targets.Add(request.Target);
                        var body = request.StartLine.StartsWith("HEAD ", StringComparison.Ordinal) ? "" : "seen " + request.Target;
                        socket.Send(Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\nX-Seen: {request.Target}\r\nContent-Length: {5 + request.Target.Length}\r\n\r\n{body}"));
                    }
                }
            }
            catch (NotStrictException e)
            {
                Failure = e.Message;
            }
            catch (SocketException)
            {
                // The proxy broke it off.
            }
        }
    }
}
