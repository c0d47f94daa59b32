// Users and groups by name or number, from the system's own files.

using System.Globalization;

namespace Weir.Control.Compilation;

/// <summary>Looks accounts up.</summary>
internal static class Accounts
{
    /// <summary>A user and its first group; null: there is none.</summary>
    public static (uint User, uint Group)? FindUser(string name)
    {
        foreach (var line in Lines("/etc/passwd"))
        {
            if (line.Length > 3 && (line[0] == name || line[2] == name) && TryNumber(line[2], out var user) && TryNumber(line[3], out var group)) return (user, group);
        }

        return null;
    }

    /// <summary>A group; null: there is none.</summary>
    public static uint? FindGroup(string name)
    {
        foreach (var line in Lines("/etc/group"))
        {
            if (line.Length > 2 && (line[0] == name || line[2] == name) && TryNumber(line[2], out var group)) return group;
        }

        return null;
    }

    /// <summary>What a group is called; its number where nothing says.</summary>
    public static string GroupName(uint group)
    {
        var number = group.ToString(CultureInfo.InvariantCulture);
        return Lines("/etc/group").FirstOrDefault(line => line.Length > 2 && line[2] == number)?[0] ?? number;
    }

    private static IEnumerable<string[]> Lines(string file)
    {
        try
        {
            return [.. File.ReadLines(file).Select(l => l.Split(':'))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static bool TryNumber(string text, out uint number) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
