// Records by a command of the operator's: PATH present|cleanup NAME VALUE, the same in WEIR_ACTION, WEIR_NAME and WEIR_VALUE. No
// shell is between; it has its time, and what it says is told where it fails.

using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Weir.Control.Certificates.Acme;

namespace Weir.Control.Certificates.Dns;

/// <summary>Runs the command.</summary>
internal sealed class HookRecords(string path, TimeSpan most, TimeProvider time) : ITextRecords
{
    // Of what it says, the last characters.
    private const int MostSaid = 2_000;

    public System.Net.IPEndPoint[] Servers => [];

    public Task PutAsync(string name, string value, CancellationToken stop) => RunAsync("present", name, value, stop);

    public Task TakeAsync(string name, string value, CancellationToken stop) => RunAsync("cleanup", name, value, stop);

    private async Task RunAsync(string action, string name, string value, CancellationToken stop)
    {
        var start = new ProcessStartInfo(path, [action, name, value]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        (start.Environment["WEIR_ACTION"], start.Environment["WEIR_NAME"], start.Environment["WEIR_VALUE"]) = (action, name, value);
        using var limit = new CancellationTokenSource(most, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        using var process = Begin(start);
        var said = new StringBuilder();
        process.OutputDataReceived += (_, line) => Hear(said, line.Data);
        process.ErrorDataReceived += (_, line) => Hear(said, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            process.StandardInput.Close();
            await process.WaitForExitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            stop.ThrowIfCancellationRequested();
            throw new AcmeException(TroubleKind.Own, string.Create(CultureInfo.InvariantCulture, $"the hook {path} {action} {name} was ended after {most.TotalSeconds} s{Told(said)}"));
        }

        if (process.ExitCode != 0) throw new AcmeException(TroubleKind.Own, string.Create(CultureInfo.InvariantCulture, $"the hook {path} {action} {name} ends with {process.ExitCode}{Told(said)}"));
    }

    private Process Begin(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            throw new AcmeException(TroubleKind.Own, $"the hook {path} cannot be started: {e.Message}");
        }
    }

    private static void Hear(StringBuilder said, string? line)
    {
        if (line is null) return;
        lock (said)
        {
            said.Append(said.Length > 0 ? " | " : "").Append(line.AsSpan(0, Math.Min(line.Length, MostSaid)));
            if (said.Length > MostSaid) said.Remove(0, said.Length - MostSaid);
        }
    }

    private static string Told(StringBuilder said)
    {
        lock (said) return said.Length == 0 ? "" : $": {said}";
    }
}
