// What stands under a name now, links followed: by it a change is seen without reading, and who may read it is known.

namespace Weir.Engine.Disk;

/// <summary>A file as it was found. Two that are equal are the same file, unchanged.</summary>
public readonly record struct FileStamp(ulong Device, ulong Inode, long Length, long ModifiedAt, long ChangedAt, int Mode, uint Owner, uint Group, bool IsRegular)
{
    /// <summary>The file under a name; null: there is none that could be found. May wait for a disk.</summary>
    public static FileStamp? Of(string path) => Descriptor.StampOf(path);
}
