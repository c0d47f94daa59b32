using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Engine.Observe;

namespace Weir.Tests.Unit.Engine.Observe;

public class LogTargetTests
{
    [Fact]
    public void A_line_longer_than_any_buffer_arrives_whole_and_in_its_place()
    {
        var stream = new MemoryStream();
        var log = new ErrorLog(new StreamTarget(stream));
        log.Error("a", "before");
        log.Error("a", new string('x', 200_000));
        log.Error("a", "after");
        log.Drain();
        var lines = Encoding.UTF8.GetString(stream.ToArray()).Split('\n');
        Assert.Equal(["before", new string('x', 200_000), "after", ""], lines.Select(l => l.Split(": ", 2)[^1]));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("127.0.0.1:99999")]
    [InlineData("unix:/no/such/socket")]
    [InlineData("unix:/a-path-longer-than-a-socket-may-have/01234567890123456789012345678901234567890123456789012345678901234567890123456789")]
    public void A_syslog_that_cannot_be_reached_loses_lines_and_says_so(string address)
    {
        var target = new SyslogTarget(address, "weir");
        target.Append("one\ntwo\n"u8.ToArray());
        target.Flush();
        Assert.Equal(2, target.Lost);
        Assert.NotNull(target.Trouble);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    public void A_syslog_gets_a_message_a_line(string host)
    {
        using var receiver = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        receiver.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var target = new SyslogTarget($"{host}:{((IPEndPoint)receiver.LocalEndPoint!).Port}", "weir");
        target.Append("one\ntwo\n"u8.ToArray());
        target.Flush();
        Assert.Null(target.Trouble);
        var room = new byte[256];
        foreach (var line in new[] { "one", "two" }) Assert.Equal($"<134>1 - - weir - access - {line}", Encoding.ASCII.GetString(room, 0, receiver.Receive(room)));
        target.Reopen();
    }

    [Fact]
    public void The_local_syslog_gets_the_form_that_the_C_library_speaks()
    {
        var folder = Directory.CreateTempSubdirectory("weir-unit-");
        try
        {
            var path = Path.Combine(folder.FullName, "log");
            using var receiver = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };
            receiver.Bind(new UnixDomainSocketEndPoint(path));
            var target = new SyslogTarget($"unix:{path}", "weir");
            target.Append("one\ntwo\n"u8.ToArray());
            target.Flush();
            Assert.Null(target.Trouble);
            var room = new byte[256];
            foreach (var line in new[] { "one", "two" }) Assert.Equal($"<134>weir[{Environment.ProcessId}]: {line}", Encoding.ASCII.GetString(room, 0, receiver.Receive(room)));
            target.Reopen();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_file_that_was_moved_is_opened_anew_when_asked()
    {
        var folder = Directory.CreateTempSubdirectory("weir-unit-");
        try
        {
            var path = Path.Combine(folder.FullName, "access.log");
            var target = new FileTarget(path);
            Line("one");
            File.Move(path, path + ".1");
            Line("two");
            target.Reopen();
            Line("three");
            target.Reopen();
            Assert.Equal("one\ntwo\n", File.ReadAllText(path + ".1"));
            Assert.Equal("three\n", File.ReadAllText(path));

            void Line(string text)
            {
                target.Append(Encoding.ASCII.GetBytes(text + "\n"));
                target.Flush();
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_file_that_others_write_to_or_cut_is_appended_to_where_it_ends()
    {
        var path = Path.GetTempFileName();
        var (one, other) = (new FileTarget(path), new FileTarget(path));
        Say(one, "one\n");
        Say(other, "two\n");
        Say(one, "three\n");
        Assert.Equal("one\ntwo\nthree\n", File.ReadAllText(path));
        File.WriteAllText(path, "");
        Say(one, "four\n");
        Say(other, "five\n");
        Assert.Equal("four\nfive\n", File.ReadAllText(path));
        one.Reopen();
        other.Reopen();
        File.Delete(path);

        static void Say(FileTarget target, string text)
        {
            target.Append(Encoding.ASCII.GetBytes(text));
            target.Flush();
        }
    }

    [Fact]
    public void Lines_that_cannot_be_written_go_where_there_is_another_place()
    {
        var stream = new MemoryStream();
        var target = new FileTarget("/no/such/folder/error.log") { Instead = new StreamTarget(stream) };
        Assert.NotNull(target.TryOpen());
        target.Append("told\n"u8.ToArray());
        target.Flush();
        Assert.Equal((0L, true, "told\n"), (target.Lost, target.Trouble is not null, Encoding.ASCII.GetString(stream.ToArray())));
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_tried_again()
    {
        var folder = Directory.CreateTempSubdirectory("weir-unit-");
        try
        {
            var path = Path.Combine(folder.FullName, "sub", "access.log");
            var target = new FileTarget(path);
            target.Append("lost\n"u8.ToArray());
            target.Flush();
            Assert.Equal((1L, true), (target.Lost, target.Trouble is not null));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            target.Append("kept\n"u8.ToArray());
            target.Flush();
            Assert.Equal((1L, false), (target.Lost, target.Trouble is not null));
            target.Reopen();
            Assert.Equal("kept\n", File.ReadAllText(path));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
