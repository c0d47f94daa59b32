// Text as a JSON string.

using System.Text.Json;

namespace Weir.Control.Admin;

internal static class JsonText
{
    /// <summary>The text in quotes, escaped.</summary>
    public static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";
}
