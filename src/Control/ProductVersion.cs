// The version of this program, as it was built.

using System.Reflection;

namespace Weir.Control;

/// <summary>The product's version.</summary>
public static class ProductVersion
{
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
}
