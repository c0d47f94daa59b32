// How libssl reads and writes: through the transport, which knows whether a read was short and so whether another would be in
// vain, and which is a simulated one as well as the kernel's. Several records leave in one call where a batch is open.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

internal static unsafe class TransportBio
{
    // Five records with their heads and tags.
    private const int BatchBytes = 5 * (TlsEngine.MostWritten + 256);

    private static readonly nint Method = MakeMethod();

    [ThreadStatic]
    private static byte[]? batch;

    /// <summary>Room for one batch of this thread; it is empty between two calls of the engine.</summary>
    public static byte[] Batch => batch ??= new byte[BatchBytes];

    /// <summary>A BIO for an engine; it belongs to whatever it is set on.</summary>
    public static nint Make(nint engine)
    {
        var bio = OpenSsl.BIO_new(Method);
        OpenSsl.BIO_set_data(bio, engine);
        OpenSsl.BIO_set_init(bio, 1);
        return bio;
    }

    private static nint MakeMethod()
    {
        var method = OpenSsl.BIO_meth_new(OpenSsl.BIO_get_new_index() | OpenSsl.BioSourceSink, "weir transport");
        _ = OpenSsl.BIO_meth_set_read(method, &Read);
        _ = OpenSsl.BIO_meth_set_write(method, &Write);
        _ = OpenSsl.BIO_meth_set_ctrl(method, &Control);
        return method;
    }

    private static OpenSslEngine EngineOf(nint bio) => Unsafe.As<OpenSslEngine>(GCHandle.FromIntPtr(OpenSsl.BIO_get_data(bio)).Target!);

    [UnmanagedCallersOnly]
    private static int Read(nint bio, byte* into, int length)
    {
        var engine = EngineOf(bio);
        var mayRead = engine.MayReadOn();
        var got = mayRead ? engine.Over.TryRead(new Span<byte>(into, length)) : IoResult.WouldBlock;
        if (mayRead) engine.CountRead(got.Status == IoStatus.Some ? got.Count : 0);
        OpenSsl.BIO_clear_flags(bio, OpenSsl.BioAll);
        if (got.Status == IoStatus.Some) return got.Count;
        if (got.Status == IoStatus.WouldBlock)
        {
            OpenSsl.BIO_set_flags(bio, OpenSsl.BioRead | OpenSsl.BioRetry);
            return -1;
        }

        engine.HasEnded = true;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Write(nint bio, byte* bytes, int length)
    {
        var engine = EngineOf(bio);
        OpenSsl.BIO_clear_flags(bio, OpenSsl.BioAll);
        if (engine.IsGathering) return engine.TryGather(new ReadOnlySpan<byte>(bytes, length)) ? length : -1;
        var sent = engine.SendRest() switch
        {
            TlsStatus.Done => engine.Over.TryWrite(new ReadOnlySpan<byte>(bytes, length)),
            TlsStatus.WantWrite => IoResult.WouldBlock,
            _ => IoResult.Reset,
        };
        if (sent.Status == IoStatus.Some) return sent.Count;
        if (sent.Status == IoStatus.WouldBlock) OpenSsl.BIO_set_flags(bio, OpenSsl.BioWrite | OpenSsl.BioRetry);
        return -1;
    }

    [UnmanagedCallersOnly]
    private static nint Control(nint bio, int command, nint number, nint pointer) => command switch
    {
        OpenSsl.BioCtrlFlush => 1,
        OpenSsl.BioCtrlEof => EngineOf(bio).HasEnded ? 1 : 0,
        _ => 0,
    };
}
