// What kind of device asks, as far as its User-Agent tells: a handful of variants in place of one for each browser there is.

namespace Weir.Engine.Caching;

/// <summary>Classes of devices, and the field that tells the origin which one a key stands for.</summary>
internal static class DeviceClass
{
    public static readonly byte[] FieldName = "X-Device-Type"u8.ToArray();

    private static readonly byte[] Desktop = "desktop"u8.ToArray();
    private static readonly byte[] Mobile = "mobile"u8.ToArray();
    private static readonly byte[] Tablet = "tablet"u8.ToArray();

    /// <summary>The class; bytes that live as long as the program.</summary>
    public static byte[] Of(ReadOnlySpan<byte> userAgent)
    {
        if (Has(userAgent, "iPad"u8) || Has(userAgent, "Tablet"u8) || Has(userAgent, "Kindle"u8) || Has(userAgent, "Silk/"u8) || Has(userAgent, "PlayBook"u8)) return Tablet;
        var isMobile = Has(userAgent, "Mobi"u8) || Has(userAgent, "iPhone"u8) || Has(userAgent, "iPod"u8);
        if (Has(userAgent, "Android"u8)) return isMobile ? Mobile : Tablet;
        return isMobile || Has(userAgent, "Opera Mini"u8) || Has(userAgent, "IEMobile"u8) || Has(userAgent, "BlackBerry"u8) ? Mobile : Desktop;
    }

    private static bool Has(ReadOnlySpan<byte> userAgent, ReadOnlySpan<byte> word) => userAgent.IndexOf(word) >= 0;
}
