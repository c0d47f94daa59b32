// What the admin listener and the control socket answer:
//   GET  /metrics   Prometheus text          GET  /status   what is served, as JSON
//   GET  /ready     200, 503 while draining  GET  /live     200
//   POST /reload    takes the configuration  POST /drain    ends connections after their response
//   GET  /transfers accelerated answers      POST /undrain  ends draining
//   /upstreams/…    see UpstreamsHandler
//   /certificates…  see CertificatesHandler
//   /caches…        see CachesHandler
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

    private static readonly ByteRange ChallengeName = ByteRange.Of("WWW-Authenticate"u8.ToArray());
    private static readonly ByteRange Challenge = ByteRange.Of("Bearer"u8.ToArray());

    private readonly UpstreamsHandler upstreams = new(proxy);
    private readonly CertificatesHandler certificates = new(proxy);
    private readonly CachesHandler caches = new(proxy);
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
            AdminAnswer.Error(exchange, exchange.Fault.Status, "the request cannot be read");
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
                AdminAnswer.Error(exchange, 401, "the admin token is missing or wrong");
                exchange.Response.Fields.Add(KnownField.WwwAuthenticate, ChallengeName, Challenge);
                return;
            }

            if (token() is null && exchange.Ends.ClientAddress is not null && !BrowserGuard.IsOwn(exchange.Request)) // No browser reaches a Unix socket.
            {
                AdminAnswer.Error(exchange, 403, "without an admin token, ask by address or as localhost, and not from a web page");
                return;
            }
        }

        switch (method == "HEAD" ? "GET" : method, path)
        {
            case ("GET", "/live"):
                AdminAnswer.Send(exchange, 200, "alive\n", AdminAnswer.Text);
                break;
            case ("GET", "/ready"):
                AdminAnswer.Send(exchange, proxy.IsDraining ? 503 : 200, proxy.IsDraining ? "draining\n" : "ready\n", AdminAnswer.Text);
                break;
            case ("GET", "/metrics"):
                AdminAnswer.Send(exchange, 200, MetricsPage.Write(proxy), AdminAnswer.Prometheus);
                break;
            case ("GET", "/status"):
                AdminAnswer.Json(exchange, 200, StatusPage.Write(proxy));
                break;
            case ("GET", "/transfers"):
                AdminAnswer.Json(exchange, 200, TransferDocuments.Write(proxy.Engine.Transfers));
                break;
            case ("POST", "/reload"):
                await ReloadAsync(exchange);
                break;
            case ("POST", "/drain"):
                proxy.Drain();
                AdminAnswer.Json(exchange, 200, "{\"draining\":true}\n");
                break;
            case ("POST", "/undrain"):
                if (proxy.Undrain()) AdminAnswer.Json(exchange, 200, "{\"draining\":false}\n");
                else AdminAnswer.Error(exchange, 409, "the program is stopping");
                break;
            case (_, "/live" or "/ready" or "/metrics" or "/status" or "/transfers" or "/reload" or "/drain" or "/undrain"):
                AdminAnswer.NotAllowed(exchange, method, path is "/reload" or "/drain" or "/undrain" ? "POST" : "GET, HEAD");
                break;
            case (_, not null) when path.StartsWith(UpstreamsHandler.Path, StringComparison.Ordinal):
                await upstreams.AnswerAsync(exchange, method, path);
                break;
            case (_, not null) when path == CertificatesHandler.Path || path.StartsWith(CertificatesHandler.Path + "/", StringComparison.Ordinal):
                certificates.Answer(exchange, method, path);
                break;
            case (_, not null) when path == CachesHandler.Path || path.StartsWith(CachesHandler.Path + "/", StringComparison.Ordinal):
                await caches.AnswerAsync(exchange, method, path);
                break;
            default:
                AdminAnswer.Error(exchange, 404, "there is nothing here");
                break;
        }
    }

    private async LoopTask ReloadAsync(Exchange exchange)
    {
        if (reloads >= MostReloads)
        {
            AdminAnswer.Error(exchange, 503, "too many reloads wait");
            return;
        }

        reloads++;
        var outcome = new ReloadOutcome(false, "");
        await SideJob.RunAsync(exchange, "weir-reload", () => outcome = proxy.Reload());
        reloads--;
        if (outcome.Done) AdminAnswer.Json(exchange, 200, $"{{\"reloaded\":true,\"text\":{JsonText.Quote(outcome.Text)}}}\n");
        else AdminAnswer.Error(exchange, 422, outcome.Text);
    }

    private static bool Bears(Exchange exchange, string wanted)
    {
        var given = exchange.Request.Fields.First(KnownField.Authorization);
        return given.Length > 7 && Wire.Bytes.Ascii.EqualsIgnoreCase(given[..7], "Bearer "u8) && CryptographicOperations.FixedTimeEquals(given[7..], Encoding.UTF8.GetBytes(wanted));
    }
}
