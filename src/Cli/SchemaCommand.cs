// weir schema: the configuration language as JSON Schema, or as the reference.

using System.CommandLine;
using Weir.Control.Configuration;

namespace Weir.Cli;

internal static class SchemaCommand
{
    public static Command Make()
    {
        var markdown = new Option<bool>("--markdown") { Description = "The reference for people instead of the JSON Schema." };
        var command = new Command("schema", "Prints the JSON Schema of the configuration language.") { markdown };
        command.SetAction(parsed => Console.Write(parsed.GetValue(markdown) ? ReferenceDocument.Write() : SchemaDocument.Write()));
        return command;
    }
}
