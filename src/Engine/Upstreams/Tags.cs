// What endpoints are called in cookies: by what they are, not by where they stand, so that every node that has one calls it
// the same, before and after a restart.

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Weir.Engine.Upstreams;

internal static class Tags
{
    /// <summary>Gives each endpoint its tag; those of one identity are told apart by their order.</summary>
    public static Dictionary<ulong, Endpoint> Of(Endpoint[] endpoints)
    {
        var tags = new Dictionary<ulong, Endpoint>(endpoints.Length);
        var seen = new Dictionary<string, int>(endpoints.Length);
        foreach (var endpoint in endpoints)
        {
            seen[endpoint.Identity] = seen.GetValueOrDefault(endpoint.Identity) + 1;
            endpoint.Tag = BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{endpoint.Identity}\n{seen[endpoint.Identity]}")));
            tags[endpoint.Tag] = endpoint;
        }

        return tags;
    }
}
