// The server with the file: whole, or one range of it, with a strong validator.

using System.Globalization;
using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Control.Laboratory;

internal sealed class LabOrigin(Loop loop, Network network, ListenSocket socket, long size)
{
    /// <summary>Bytes of heads that were sent.</summary>
    public long Heads { get; private set; }

    public void Serve() => AcceptAsync(network.Accept(socket)).Detach();

    private async LoopTask AcceptAsync(Acceptor acceptor)
    {
        var waiter = new Waiter(loop);
        while (true)
        {
            await waiter.FirstOf(acceptor.Acceptable, long.MaxValue);
            while (acceptor.TryAccept(out _) is { } transport) ServeAsync(transport).Detach();
            acceptor.Acceptable.Clear();
        }
    }

    private async LoopTask ServeAsync(Transport transport)
    {
        var talk = new Conversation(transport);
        var head = new RequestHead();
        while (await talk.HeadAsync(head))
        {
            var (first, end) = Range(head.Fields, talk.Buffered);
            var isHead = head.KnownMethod == KnownMethod.Head;
            talk.Use(head.Length);
            var answer = Head(first, end);
            Heads += answer.Length;
            if (!await talk.SendAsync(answer)) break;
            while (!isHead && first < end)
            {
                var piece = LabFile.From(first, end - first);
                first += piece.Length;
                if (await talk.SendAsync(piece)) continue;
                transport.Close(reset: true);
                return;
            }
        }

        transport.Close();
    }

    private byte[] Head(long first, long end)
    {
        var isPart = first > 0 || end < size;
        var range = isPart ? string.Create(CultureInfo.InvariantCulture, $"Content-Range: bytes {first}-{end - 1}/{size}\r\n") : "";
        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {(isPart ? "206 Partial Content" : "200 OK")}\r\nContent-Type: application/octet-stream\r\nContent-Length: {end - first}\r\n{range}Accept-Ranges: bytes\r\nETag: {LabFile.Tag}\r\n\r\n"));
    }

    // What is not one range that there is, is answered with the whole.
    private (long First, long End) Range(FieldIndex fields, ReadOnlySpan<byte> bytes)
    {
        var (range, condition) = (fields.IndexOf(KnownField.Range), fields.IndexOf(KnownField.IfRange));
        if (range < 0 || (condition >= 0 && Encoding.ASCII.GetString(fields.Value(bytes, condition)) != LabFile.Tag)) return (0, size);
        var text = Encoding.ASCII.GetString(fields.Value(bytes, range));
        if (!text.StartsWith("bytes=", StringComparison.Ordinal) || text[6..].Split('-') is not [var from, var to]) return (0, size);
        if (!long.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out var first) || first >= size) return (0, size);
        if (to.Length == 0) return (first, size);
        return long.TryParse(to, NumberStyles.None, CultureInfo.InvariantCulture, out var last) && last >= first ? (first, Math.Min(last + 1, size)) : (0, size);
    }
}
