// What the admin listener and the control socket answer:
//   GET  /metrics   Prometheus text          GET  /status   what is served, as JSON
//   GET  /ready     200, 503 while draining  GET  /live     200
//   POST /reload    takes the configuration  POST /drain    ends connections after their response
//                                            POST /undrain  ends draining
// With a token, all but /live and /ready ask for it. Without one, what a web page made somebody's browser send is refused.
// Errors are JSON. A reload runs on a thread of its own.

using System.Security.Cryptography;
using System.Text;
using Weir.Control.Metrics;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Control.Admin;

/// <summary>Answers administration. On the admin loop.</summary>
public sealed class AdminHandler(RunningProxy proxy, Func<string?> token, bool isControl) : IExchangeHandler
{
    // Reloads at once, each waiting for the one before.
    private const int MostReloads = 16;

    private static readonly byte[] Json = "application/json"u8.ToArray();
    private static readonly byte[] Text = "text/plain; charset=utf-8"u8.ToArray();
    private static readonly byte[] Prometheus = "text/plain; version=0.0.4; charset=utf-8"u8.ToArray();

    private static readonly ByteRange ChallengeName = ByteRange.Of("WWW-Authenticate"u8.ToArray());
    private static readonly ByteRange Challenge = ByteRange.Of("Bearer"u8.ToArray());
    private static readonly ByteRange AllowName = ByteRange.Of("Allow"u8.ToArray());
    private static readonly ByteRange AllowGet = ByteRange.Of("GET, HEAD"u8.ToArray());
    private static readonly ByteRange AllowPost = ByteRange.Of("POST"u8.ToArray());

    private int reloads;

    public async LoopTask HandleAsync(Exchange exchange)
    {
        if (!exchange.Fault.IsNone)
        {
            if (exchange.Fault.Status == 0)
            {
                exchange.Client.Abort();
                return;
            }

            exchange.Client.EndAfterThis();
            Error(exchange, exchange.Fault.Status, "the request cannot be read");
        }
        else
        {
            await AnswerAsync(exchange);
        }

        if (exchange.Client.StartResponse(exchange.Response, exchange.Request) != FaultCause.None
            || !(await Relay.SendAnswerAsync(exchange, exchange.OwnBody, exchange.Client.ResponseBody)).IsNone) exchange.Client.Abort();
    }

    private async LoopTask AnswerAsync(Exchange exchange)
    {
        var path = Encoding.ASCII.GetString(exchange.Request.Path.Span);
        var method = Encoding.ASCII.GetString(exchange.Request.Method.Span);
        if (path is not ("/live" or "/ready") && !isControl)
        {
            if (token() is { } wanted && !Bears(exchange, wanted))
            {
                Error(exchange, 401, "the admin token is missing or wrong");
                exchange.Response.Fields.Add(KnownField.WwwAuthenticate, ChallengeName, Challenge);
                return;
            }

            if (token() is null && exchange.Ends.ClientAddress is not null && !BrowserGuard.IsOwn(exchange.Request)) // No browser reaches a Unix socket.
            {
                Error(exchange, 403, "without an admin token, ask by address or as localhost, and not from a web page");
                return;
            }
        }

        switch (method == "HEAD" ? "GET" : method, path)
        {
            case ("GET", "/live"):
                Answer(exchange, 200, "alive\n", Text);
                break;
            case ("GET", "/ready"):
                Answer(exchange, proxy.IsDraining ? 503 : 200, proxy.IsDraining ? "draining\n" : "ready\n", Text);
                break;
            case ("GET", "/metrics"):
                Answer(exchange, 200, MetricsPage.Write(proxy), Prometheus);
                break;
            case ("GET", "/status"):
                Answer(exchange, 200, StatusPage.Write(proxy), Json);
                break;
            case ("POST", "/reload"):
                await ReloadAsync(exchange);
                break;
            case ("POST", "/drain"):
                proxy.Drain();
                Answer(exchange, 200, "{\"draining\":true}\n", Json);
                break;
            case ("POST", "/undrain"):
                if (proxy.Undrain()) Answer(exchange, 200, "{\"draining\":false}\n", Json);
                else Error(exchange, 409, "the program is stopping");
                break;
            case (_, "/live" or "/ready" or "/metrics" or "/status" or "/reload" or "/drain" or "/undrain"):
                Error(exchange, 405, $"{method} is not answered here");
                exchange.Response.Fields.Add(KnownField.Allow, AllowName, path is "/reload" or "/drain" or "/undrain" ? AllowPost : AllowGet);
                break;
            default:
                Error(exchange, 404, "there is nothing here");
                break;
        }
    }

    private async LoopTask ReloadAsync(Exchange exchange)
    {
        if (reloads >= MostReloads)
        {
            Error(exchange, 503, "too many reloads wait");
            return;
        }

        reloads++;
        var job = new ReloadJob(exchange.Loop, proxy);
        job.Start();
        await exchange.Flow.FirstOf(job.Done, long.MaxValue);
        reloads--;
        if (job.Outcome.Done) Answer(exchange, 200, $"{{\"reloaded\":true,\"text\":{JsonText.Quote(job.Outcome.Text)}}}\n", Json);
        else Error(exchange, 422, job.Outcome.Text);
    }

    private static bool Bears(Exchange exchange, string wanted)
    {
        var given = exchange.Request.Fields.First(KnownField.Authorization);
        return given.Length > 7 && Wire.Bytes.Ascii.EqualsIgnoreCase(given[..7], "Bearer "u8) && CryptographicOperations.FixedTimeEquals(given[7..], Encoding.UTF8.GetBytes(wanted));
    }

    private static void Error(Exchange exchange, int status, string text) => Answer(exchange, status, $"{{\"error\":{JsonText.Quote(text)}}}\n", Json);

    private static void Answer(Exchange exchange, int status, string text, byte[] type) => OwnResponse.Begin(exchange, status, Encoding.UTF8.GetBytes(text), ByteRange.Of(type));

    private sealed class ReloadJob(Loop loop, RunningProxy proxy) : Posted
    {
        public ReloadOutcome Outcome { get; private set; } = new(false, "");

        public Signal Done { get; } = new();

        public void Start() => new Thread(Work) { IsBackground = true, Name = "weir-reload" }.Start();

        public override void Run() => Done.Raise();

        private void Work()
        {
            Outcome = proxy.Reload();
            loop.Post(this);
        }
    }
}
