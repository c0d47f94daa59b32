// dns-01 (RFC 8555 §8.4).

namespace Weir.Control.Certificates.Dns;

internal static class DnsWay
{
    public static IChallengeWay Make(DnsSettings settings, TimeProvider time, Action<string> warn) => throw new NotSupportedException();
}
