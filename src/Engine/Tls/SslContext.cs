// An SSL_CTX: certificates and what is spoken. Immutable once made; connections hold references of their own, so that one can
// be replaced while handshakes go on with it. Its keys are OpenSSL's, which wipes them when the last reference goes.

using System.Runtime.InteropServices;

namespace Weir.Engine.Tls;

/// <summary>A context of OpenSSL.</summary>
internal sealed class SslContext : SafeHandle
{
    public SslContext(bool server)
        : base(0, ownsHandle: true) => SetHandle(OpenSsl.SSL_CTX_new(server ? OpenSsl.TLS_server_method() : OpenSsl.TLS_client_method()));

    public override bool IsInvalid => handle == 0;

    /// <summary>Only while it is being made.</summary>
    internal nint Pointer => handle;

    /// <summary>A new connection's state.</summary>
    public nint NewSsl()
    {
        var held = false;
        try
        {
            DangerousAddRef(ref held);
            return OpenSsl.SSL_new(handle);
        }
        finally
        {
            if (held) DangerousRelease();
        }
    }

    /// <summary>Shows its certificates on a connection that was made from another.</summary>
    /// <returns>False where it has been let go of.</returns>
    public bool TryShowOn(nint ssl)
    {
        var held = false;
        try
        {
            DangerousAddRef(ref held);
            _ = OpenSsl.SSL_set_SSL_CTX(ssl, handle);
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            if (held) DangerousRelease();
        }
    }

    protected override bool ReleaseHandle()
    {
        OpenSsl.SSL_CTX_free(handle);
        return true;
    }
}
