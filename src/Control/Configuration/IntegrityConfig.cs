// What a route does about digests, as written.

namespace Weir.Control.Configuration;

public sealed class IntegrityConfig : IWritten
{
    public Position At { get; set; }
    public bool? Verify { get; set; }
    public bool? Generate { get; set; }
    public List<string> Algorithms { get; set; } = [];
}
