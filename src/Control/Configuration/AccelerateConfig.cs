// How a route's large answers are fetched, as written.

namespace Weir.Control.Configuration;

public sealed class AccelerateConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public long? Segments { get; set; }
    public long? SegmentSize { get; set; }
    public long? MinSize { get; set; }
    public long? Memory { get; set; }
    public long? Disk { get; set; }
    public long? PerUpstream { get; set; }
    public string? SameBy { get; set; }
}
