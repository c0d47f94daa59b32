// Started as root, becomes another user once everything is bound. The C library's own calls change all threads at once.

using System.Runtime.InteropServices;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static unsafe partial class ProcessUser
{
    /// <param name="user">Its name.</param>
    /// <param name="files">What was made for the process before: it becomes the user's.</param>
    /// <param name="trouble">Why that cannot be.</param>
    public static bool TryBecome(string user, IEnumerable<string> files, out string trouble)
    {
        trouble = "";
        if (SystemUser.Find(user) is not (_, var uid, var gid))
        {
            trouble = $"there is no user '{user}'"; // Deleted since the configuration was read.
            return false;
        }

        if (geteuid() == uid) return true; // Somebody else did it already.
        foreach (var file in files) _ = lchown(file, uid, gid);
        if (initgroups(user, gid) == 0 && setgid(gid) == 0 && setuid(uid) == 0 && geteuid() == uid) return true;
        trouble = $"cannot become '{user}': start as root, or as '{user}'";
        return false;
    }

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string file, uint user, uint group);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int initgroups(string user, uint group);

    [LibraryImport("libc")]
    private static partial int setgid(uint group);

    [LibraryImport("libc")]
    private static partial int setuid(uint user);
}
