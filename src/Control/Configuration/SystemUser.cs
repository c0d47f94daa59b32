// The users of this system, as its own file tells them.

using System.Globalization;

namespace Weir.Control.Configuration;

/// <summary>A user of the system.</summary>
public sealed record SystemUser(string Name, uint Id, uint Group)
{
    /// <summary>Finds one by name; null: there is none.</summary>
    public static SystemUser? Find(string name)
    {
        try
        {
            foreach (var fields in File.ReadLines("/etc/passwd").Select(line => line.Split(':')))
            {
                if (fields.Length > 3 && fields[0] == name && uint.TryParse(fields[2], CultureInfo.InvariantCulture, out var id) && uint.TryParse(fields[3], CultureInfo.InvariantCulture, out var group)) return new SystemUser(name, id, group);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A container may have no such file, and then no such user.
        }

        return null;
    }
}
