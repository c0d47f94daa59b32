// Whether what a name leads to is what it led to before. Links are followed, wherever in the path they stand: one that is
// switched to another folder brings another file, though it may be as long and as old as the last one. Nothing is opened, so
// that a file out of reach, or a pipe, can be looked at too.

namespace Weir.Engine.Disk;

/// <summary>States of files, to be compared.</summary>
public static class FileState
{
    /// <summary>The state now; empty: there is no such file, or it cannot be looked at. May wait for a disk.</summary>
    public static string Of(string path) => Descriptor.StateOf(path)?.ToString() ?? "";
}
