// A request without a connection: its head is read, and what the middle of the engine does with it can be tried.

using System.Net;
using System.Text;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports.Simulation;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

namespace Weir.Tests.Fuzz;

internal sealed class Trial
{
    private static readonly IPAddress Client = IPAddress.Parse("192.0.2.1");

    private readonly BufferPool buffers = new(new MemoryBudget(1 << 24));
    private readonly RequestHead requestHead = new();
    private readonly ResponseHead responseHead = new();

    public Trial()
    {
        (Loop, _) = new SimulatedWorld(1).AddLoop();
        Exchange = new Exchange(Loop, buffers);
    }

    public Loop Loop { get; }

    public Exchange Exchange { get; }

    /// <summary>Begins an exchange with a head; false where it is not accepted.</summary>
    public bool TryRequest(byte[] head)
    {
        requestHead.Clear();
        if (RequestParser.Parse(head, HeadLimits.Default, requestHead, out _) != ParseStatus.Done) return false;
        Exchange.Begin(SilentClient.Instance, Loop.Microseconds());
        RequestFill.From(Exchange, requestHead, head, 0);
        Exchange.Ends = new ConnectionEnds(Client, 4711, 80);
        return true;
    }

    /// <summary>Gives the exchange a response's fields; false where the head is not accepted.</summary>
    public bool TryResponse(byte[] head)
    {
        responseHead.Clear();
        if (ResponseParser.Parse(head, HeadLimits.Default, KnownMethod.Get, responseHead, out _) != ParseStatus.Done) return false;
        Exchange.Response.Clear();
        Exchange.Response.Status = responseHead.Status;
        Exchange.Response.Fields.Reset(head, 0, responseHead.Fields);
        return true;
    }

    /// <summary>Ends the exchange; nothing may be held any more.</summary>
    public void End()
    {
        Exchange.End();
        if (buffers.Leased != 0) throw new BrokenException($"leaked: {buffers.Leased} buffers");
    }

    /// <summary>Routes and rewrites it as the pipeline does.</summary>
    /// <returns>The route, where the request goes on.</returns>
    public RoutePlan? TryRoute(Plan plan)
    {
        var (_, route, fault) = Pipeline.Find(Exchange, plan, plan.Listeners[0]);
        if (!fault.IsNone) return null;
        return Array.TrueForAll(route!.Rewrite, policy => policy.Apply(Exchange).IsContinue) ? route : null;
    }

    /// <summary>What is wrong with what would be sent on; null: nothing.</summary>
    public string? Flaw()
    {
        var request = Exchange.Request;
        if (Flaw(request.Fields) is { } flaw) return flaw;
        if (request.ForwardedPath.IsEmpty) return null;
        var path = request.ForwardedPath.Span;
        var query = request.ForwardedQuery.Span;
        if (path.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7E) >= 0 || path.IndexOfAny("#?"u8) >= 0) return $"path: '{request.ForwardedPath}'";
        if (query.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7E) >= 0 || query.Contains((byte)'#')) return $"query: '{request.ForwardedQuery}'";
        return TargetPath.Normalize(path, new byte[path.Length + 1], out _) == PathVerdict.Plain ? null : $"path that is not plain: '{request.ForwardedPath}'";
    }

    /// <summary>What is wrong with the fields that are added; null: nothing.</summary>
    public static string? Flaw(FieldBlock fields)
    {
        foreach (ref readonly var added in fields.Added)
        {
            if (!Wire.Bytes.Ascii.IsToken(added.Name.Span)) return $"field name: '{added.Name}'";
            foreach (var b in added.Value.Span)
            {
                if (b is < 0x20 and not (byte)'\t' or 0x7F) return $"field value: '{added.Name}' is '{added.Value}'";
            }
        }

        return null;
    }

    /// <summary>A plan from a configuration that is good.</summary>
    public static Plan Compile(string configuration)
    {
        var diagnostics = new Diagnostics();
        var config = ConfigLoader.Read("fuzz", configuration, diagnostics, static _ => null);
        var compiler = new PlanCompiler(new LiveThings(2), "weir-fuzz");
        var plan = config is null ? null : compiler.Compile(config, diagnostics, 1024);
        if (plan is null) throw new InvalidOperationException(diagnostics.ToString());
        compiler.Apply();
        return plan;
    }

    /// <summary>Splits an input at its first empty line, which is left out.</summary>
    public static (byte[] First, byte[] Second) Halves(byte[] input)
    {
        var at = input.AsSpan().IndexOf("\n\n"u8);
        return at < 0 ? (input, []) : (input[..at], input[(at + 2)..]);
    }

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    private sealed class SilentClient : ClientStream
    {
        public static readonly SilentClient Instance = new();

        public override BodySource RequestBody => throw new NotSupportedException();

        public override BodySink ResponseBody => throw new NotSupportedException();

        public override Signal Gone { get; } = new();

        public override bool IsBroken => false;

        public override bool HasStarted => true;

        public override FaultCause SendInterim(Response response) => FaultCause.None;

        public override FaultCause StartResponse(Response response, Request request) => FaultCause.None;

        public override void BecomeTunnel()
        {
        }

        public override void EndAfterThis()
        {
        }

        public override void Abort()
        {
        }
    }
}
