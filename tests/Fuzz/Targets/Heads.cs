// Heads to begin with, and the words that matter in them.

namespace Weir.Tests.Fuzz;

internal static class Heads
{
    public static string[] Requests =>
    [
        "GET /a?b HTTP/1.1\r\nHost: a.example:80\r\nConnection: keep-alive, x\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n",
        "POST http://[::1]:8/x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nUpgrade: a/1\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ];

    public static string[] Responses =>
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b; Domain=c\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.0 304 \r\nConnection: keep-alive\r\n\r\n",
        "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];

    public static string[] Words =>
    [
        "\r\n", "\r\n\r\n", "\n", "GET ", "HEAD ", "POST ", "PUT ", "OPTIONS ", "CONNECT ", "TRACE ", " HTTP/1.1\r\n", " HTTP/1.0\r\n", " HTTP/2.0\r\n",
        "http://", "https://", "Host: a\r\n", "Host: \r\n", "Content-Length: 0\r\n", "Content-Length: 5\r\n", "Content-Length: 5, 5\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n", "Connection: close\r\n",
        "Connection: keep-alive\r\n", "Connection: upgrade\r\n", "Connection: content-length, host, te\r\n", "Upgrade: websocket\r\n", "Upgrade: h2c\r\n",
        "Expect: 100-continue\r\n", "TE: trailers\r\n", "Trailer: a\r\n", "Keep-Alive: timeout=5\r\n", "Max-Forwards: 0\r\n", "Via: 1.1 a\r\n", "Set-Cookie: a=b\r\n",
        "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 204 No\r\n", "HTTP/1.1 101 S\r\n", "5\r\nhello\r\n", "0\r\n\r\n", " :", "\r\n ", "\t",
    ];
}
