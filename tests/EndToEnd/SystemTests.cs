// The running program and the operating system: users, sockets handed down, the service manager, IPv6, descriptors.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public partial class SystemTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    private const string Other = "nobody"; // The user that every system has beside root.

    private const UnixFileMode ForAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
    private const UnixFileMode ForOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    // A service manager in few words: listens on a TCP port and a Unix socket that block, as its sockets do, hands them down
    // as 3 and 4, and becomes the program. PORT tells the configuration which port it was.
    private const string HandDown = """
        use strict; use Socket; use Fcntl; use POSIX ();
        my ($tcp, $unix);
        socket($tcp, PF_INET, SOCK_STREAM, 0) && bind($tcp, sockaddr_in(0, INADDR_LOOPBACK)) && listen($tcp, 64) or die "tcp: $!";
        socket($unix, PF_UNIX, SOCK_STREAM, 0) && bind($unix, pack_sockaddr_un($ENV{SOCKET})) && listen($unix, 64) or die "unix: $!";
        $ENV{PORT} = (sockaddr_in(getsockname($tcp)))[0];
        my @kept = map { fcntl($_, F_DUPFD, 20) // die "$!" } $tcp, $unix;
        POSIX::dup2($kept[$_], 3 + $_) // die "$!" for 0, 1;
        POSIX::close($_) for @kept;
        $ENV{LISTEN_PID} = $ENV{SAID_PID} // $$; $ENV{LISTEN_FDS} = 2;
        exec @ARGV or die "exec: $!";
        """;

    // The same with one socket, on which a client's request waits before the program begins; its answer is printed.
    private const string HandDownWithClient = """
        use strict; use Socket; use Fcntl; use POSIX ();
        my ($tcp, $client, $told, $tell);
        socket($tcp, PF_INET, SOCK_STREAM, 0) && bind($tcp, sockaddr_in(0, INADDR_LOOPBACK)) && listen($tcp, 64) or die "tcp: $!";
        $ENV{PORT} = (sockaddr_in(getsockname($tcp)))[0];
        pipe($told, $tell) or die "pipe: $!";
        if (!fork) {
          socket($client, PF_INET, SOCK_STREAM, 0) && connect($client, getsockname($tcp)) or die "client: $!";
          syswrite($client, "GET /secret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
          syswrite($tell, "x");
          my $answer = ""; 1 while sysread($client, $answer, 65536, length $answer);
          $answer =~ s/\s+/ /g; syswrite(STDOUT, "early: $answer\n");
          POSIX::_exit(0);
        }
        sysread($told, my $x, 1);
        my $kept = fcntl($tcp, F_DUPFD, 20) // die "$!";
        POSIX::dup2($kept, 3) // die "$!"; POSIX::close($kept);
        $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1;
        exec @ARGV or die "exec: $!";
        """;

    // Somebody who is not root, and a copy of the program that they can reach wherever the tree lies.
    private const string Lowly = """
        here=$(mktemp -d) && chmod 755 "$here" && cp "$1" "$here/weir" && shift
        setpriv --reuid 1 --regid 1 --clear-groups "$here/weir" "$@"; code=$?
        rm -r "$here"; exit $code
        """;

    private static bool IsRoot => Environment.IsPrivilegedProcess;

    [Fact]
    public void Started_as_root_every_thread_becomes_the_user_and_nothing_of_root_is_left()
    {
        if (!IsRoot)
        {
            AssertThatOnlyRootCan([]);
            return;
        }

        // Groups that the user does not have, to see them go.
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nuser: {Other}\nsites: [{{ respond: 200 }}]\n", null, ["setpriv", "--groups", "4,20,27"]);
        Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
        var (user, group, groups) = (Id("-u"), Id("-g"), Id("-G").Split(' ').Order());
        var threads = 0;
        foreach (var status in ThreadsOf(weir.Id))
        {
            threads++;
            Assert.Equal([user, user, user, user], Words(status, "Uid"));
            Assert.Equal([group, group, group, group], Words(status, "Gid"));
            Assert.Equal(groups, Words(status, "Groups").Order());
            Assert.Equal(0, long.Parse(Words(status, "CapPrm")[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            Assert.Equal(0, long.Parse(Words(status, "CapEff")[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        }

        Assert.True(threads >= 4, $"{threads} threads: two loops, the log and the admin loop are not among them");
    }

    [Fact]
    public void A_request_that_waited_already_is_not_served_as_root()
    {
        if (!IsRoot)
        {
            AssertThatOnlyRootCan([]);
            return;
        }

        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        File.SetUnixFileMode(folder, ForAll);
        var files = Directory.CreateDirectory(Path.Combine(folder, "files"), ForAll).FullName;
        File.WriteAllText(Path.Combine(files, "secret"), "of root alone");
        File.SetUnixFileMode(Path.Combine(files, "secret"), ForOwner);
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:${{PORT}}\"\nuser: {Other}\nsites: [{{ files: {files} }}]\n", folder, ["perl", "-e", HandDownWithClient]);
        Eventually.Holds(() => weir.Said.Contains("early: HTTP/1.1 ", StringComparison.Ordinal), () => weir.Said);
        Assert.DoesNotContain("of root alone", weir.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_user_than_the_one_who_starts_it_takes_root()
    {
        AssertThatOnlyRootCan(IsRoot ? ["sh", "-c", Lowly, "sh"] : []);
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nuser: {UserName()}\nsites: [{{ respond: 200 }}]\n");
        Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
    }

    [Fact]
    public void A_user_that_does_not_exist_is_named()
    {
        using var failed = new FailedStart("user: no-such-user\nlisten: \"127.0.0.1:0\"\nsites: [{ respond: 200 }]\n");
        Assert.Equal(2, failed.Code);
        Assert.Contains("there is no user 'no-such-user'", failed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_user_cannot_have_a_reload_refuses_and_traffic_goes_on()
    {
        if (!IsRoot)
        {
            AssertThatOnlyRootCan([]);
            return;
        }

        const string First = "listen: \"127.0.0.1:0\"\nuser: nobody\nwatch: true\n";
        using var weir = WeirProcess.Start(First + "sites: [{ respond: { body: first } }]\n");
        using var kept = weir.Connect();
        File.SetUnixFileMode(weir.Folder, ForAll);
        var secret = Path.Combine(weir.Folder, "secret");
        File.WriteAllText(secret, "secret");
        File.SetUnixFileMode(secret, ForOwner);
        var closed = Directory.CreateDirectory(Path.Combine(weir.Folder, "closed"), ForOwner | UnixFileMode.UserExecute).FullName;

        Refused("cannot listen on unix:" + closed + "/in.sock: Permission denied", First.Replace("\"127.0.0.1:0\"", $"[\"127.0.0.1:0\", \"unix:{closed}/in.sock\"]", StringComparison.Ordinal) + "sites: [{ respond: { body: next } }]\n");
        Refused($"cannot read '{secret}'", First + $"sites: [{{ respond: {{ body: \"${{file:{secret}}}\" }} }}]\n");
        Refused($"cannot read '{secret}'", First + $"error_pages: [{{ status: 404, file: \"{secret}\" }}]\nsites: [{{ respond: {{ body: next }} }}]\n");
        // Where the kernel guards low ports at all; in a container they may be free for everybody.
        if (int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_unprivileged_port_start"), CultureInfo.InvariantCulture) > 1)
        {
            Refused("cannot listen on 127.0.0.1:1: Permission denied", First.Replace("\"127.0.0.1:0\"", "[\"127.0.0.1:0\", \"127.0.0.1:1\"]", StringComparison.Ordinal) + "sites: [{ respond: { body: next } }]\n");
        }

        weir.Configure(First + "sites: [{ respond: { body: second } }]\n");
        File.SetUnixFileMode(weir.ConfigPath, ForOwner);
        var (code, _, error) = weir.Ask("reload");
        Assert.Equal(1, code);
        Assert.Contains($"{weir.ConfigPath}: error: cannot be read: ", error, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nfirst", weir.Exchange(Get), StringComparison.Ordinal);

        File.SetUnixFileMode(weir.ConfigPath, ForAll);
        Assert.Equal(0, weir.Ask("reload").Code);
        kept.Write(Encoding.ASCII.GetBytes(Get)); // Neither the refusals nor the reload touched it.
        Assert.EndsWith("\r\n\r\nsecond", WeirProcess.ReadToEnd(kept), StringComparison.Ordinal);

        // The control socket lies where the user may not delete it: no reason to end in disorder.
        weir.Signal("TERM");
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.True(weir.ExitCode == 0, weir.Said);

        void Refused(string why, string configuration)
        {
            weir.Configure(configuration);
            var (code, output, error) = weir.Ask("reload");
            Assert.True(code == 1, output);
            Assert.Contains(why, error, StringComparison.Ordinal);
            Assert.EndsWith("\r\n\r\nfirst", weir.Exchange(Get), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_configuration_out_of_the_users_reach_can_be_watched()
    {
        if (!IsRoot)
        {
            AssertThatOnlyRootCan([]);
            return;
        }

        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nuser: nobody\nwatch: true\nsites: [{ respond: { body: first } }]\n");
        Assert.EndsWith("\r\n\r\nfirst", weir.Exchange(Get), StringComparison.Ordinal);
        // Within reach at last, it is a change like any other.
        weir.Configure("listen: \"127.0.0.1:0\"\nuser: nobody\nwatch: true\nsites: [{ respond: { body: second } }]\n");
        File.SetUnixFileMode(weir.Folder, ForAll);
        Eventually.Holds(() => weir.Exchange(Get).EndsWith("\r\n\r\nsecond", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void Sockets_that_are_handed_down_are_served_by_every_loop()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var path = Path.Combine(folder, "handed.sock");
        using var weir = WeirProcess.Start($"listen: [\"127.0.0.1:${{PORT}}\", \"unix:{path}\"]\nsites: [{{ respond: {{ body: handed }} }}]\n", folder, ["perl", "-e", HandDown], ("SOCKET", path));
        Parallel.For(0, 40, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
            Assert.EndsWith("\r\n\r\nhanded", i % 4 == 0 ? WeirProcess.Exchange(new UnixDomainSocketEndPoint(path), Get) : weir.Exchange(Get), StringComparison.Ordinal));

        // A new configuration goes on with them; the end leaves them to their owner.
        weir.Configure($"listen: [\"127.0.0.1:${{PORT}}\", \"unix:{path}\"]\nsites: [{{ respond: {{ body: again }} }}]\n");
        var (code, _, error) = weir.Ask("reload");
        Assert.True(code == 0, error);
        Assert.EndsWith("\r\n\r\nagain", weir.Exchange(Get), StringComparison.Ordinal);
        weir.Signal("TERM");
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.True(weir.ExitCode == 0, weir.Said);
        Assert.True(File.Exists(path));
    }

    [Fact]
    public void Sockets_handed_to_another_process_are_not_taken()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var path = Path.Combine(folder, "handed.sock");
        using var failed = new FailedStart("listen: \"127.0.0.1:${PORT}\"\nsites: [{ respond: 200 }]\n", ["perl", "-e", HandDown], ("SOCKET", path), ("SAID_PID", "1"));
        Assert.Equal(1, failed.Code);
        Assert.Matches("cannot listen on 127.0.0.1:\\d+: the address is in use", failed.Error);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_Unix_socket_is_taken_over_from_who_has_gone_and_from_nobody_else()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var path = Path.Combine(folder, "in.sock");
        var configuration = $"listen: \"unix:{path}\"\nsites: [{{ respond: {{ body: here }} }}]\n";
        using (WeirProcess.Start(configuration)) Assert.EndsWith("here", WeirProcess.Exchange(new UnixDomainSocketEndPoint(path), Get), StringComparison.Ordinal);
        Assert.True(File.Exists(path)); // It was killed.
        using (WeirProcess.Start(configuration))
        {
            using var second = new FailedStart(configuration);
            Assert.Equal(1, second.Code);
            Assert.Contains($"cannot listen on unix:{path}: the address is in use", second.Error, StringComparison.Ordinal);
            Assert.EndsWith("here", WeirProcess.Exchange(new UnixDomainSocketEndPoint(path), Get), StringComparison.Ordinal);
        }

        File.Delete(path);
        File.WriteAllText(path, "something");
        using var third = new FailedStart(configuration);
        Assert.Equal(1, third.Code);
        Assert.Equal("something", File.ReadAllText(path));
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_service_manager_hears_of_ready_reloading_and_stopping(bool isAbstract)
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var path = Path.Combine(folder, "notify.sock");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 20_000 };
        manager.Bind(new UnixDomainSocketEndPoint(isAbstract ? "\0" + path : path));
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: one } }]\n", folder, null, ("NOTIFY_SOCKET", isAbstract ? "@" + path : path));
        Assert.Equal("READY=1", Hear());

        weir.Configure("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: two } }]\n");
        Reload();
        Assert.EndsWith("\r\n\r\ntwo", weir.Exchange(Get), StringComparison.Ordinal);
        weir.Configure("lisen: \"127.0.0.1:0\"\n"); // Refused, and ready all the same.
        Reload();
        Assert.EndsWith("\r\n\r\ntwo", weir.Exchange(Get), StringComparison.Ordinal);
        weir.Signal("TERM");
        Assert.Equal("STOPPING=1", Hear());
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.Equal(0, weir.ExitCode);

        // systemd ignores a reload whose time lies before its signal: both clocks are CLOCK_MONOTONIC, to the microsecond.
        void Reload()
        {
            var before = Microseconds();
            weir.Signal("HUP");
            var reloading = ReloadingPattern().Match(Hear());
            Assert.True(reloading.Success);
            Assert.InRange(long.Parse(reloading.Groups[1].Value, CultureInfo.InvariantCulture), before, Microseconds());
            Assert.Equal("READY=1", Hear());
        }

        string Hear()
        {
            var buffer = new byte[4096];
            return Encoding.UTF8.GetString(buffer, 0, manager.Receive(buffer));
        }

        static long Microseconds() => Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000);
    }

    [Fact]
    public void IPv6_carries_both_sides_from_end_to_end()
    {
        using var origin = new RawOrigin(address: IPAddress.IPv6Loopback);
        Assert.StartsWith("http://[::1]:", origin.Url, StringComparison.Ordinal);
        using var weir = WeirProcess.Start($$"""
            listen: "[::1]:0"
            access_log: { target: stdout, format: "logged {client_ip} {endpoint} {status}" }
            sites:
              - routes:
                  - { match: { path: /rfc, client_ip: "::1/128" }, forwarded: rfc7239, proxy: "{{origin.Url}}" }
                  - { match: { client_ip: "::/0" }, proxy: "{{origin.Url}}" }

            """);
        var end = new IPEndPoint(IPAddress.IPv6Loopback, weir.Port);
        Assert.EndsWith("\r\n\r\nhello", WeirProcess.Exchange(end, $"GET / HTTP/1.1\r\nHost: [::1]:{weir.Port}\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nhello", WeirProcess.Exchange(end, "GET /rfc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.Contains($"Host: [::1]:{weir.Port}\r\n", origin.Received[0], StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-For: ::1\r\n", origin.Received[0], StringComparison.Ordinal);
        Assert.Contains("for=\"[::1]\"", origin.Received[1], StringComparison.Ordinal);
        Eventually.Holds(() => weir.Said.Contains($"logged ::1 [::1]:{origin.Port} 200", StringComparison.Ordinal), () => weir.Said);
        Assert.Throws<SocketException>(() => weir.Connect()); // Only there.
    }

    [Fact]
    public void A_port_alone_is_every_address_and_an_IPv4_client_stays_one()
    {
        using var weir = WeirProcess.Start("listen: \":0\"\nsites: [{ respond: { body: \"{client_ip}\" } }]\n");
        Assert.EndsWith("\r\n\r\n127.0.0.1", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n::1", WeirProcess.Exchange(new IPEndPoint(IPAddress.IPv6Loopback, weir.Port), Get), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_descriptors_it_says_so_and_serves_again_once_there_are_some()
    {
        using var origin = new RawOrigin(static (stream, _) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
            return false;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nlimits: {{ connections: 1000 }}\nsites: [{{ routes: [{{ match: /here, respond: {{ body: here }} }}], proxy: \"{origin.Url}\" }}]\n", null, WeirProcess.Shell("ulimit -n 64"));
        Assert.Contains(" 64 descriptors", weir.Said, StringComparison.Ordinal);
        using var early = weir.Connect();
        Assert.EndsWith("here", Ask("/here"), StringComparison.Ordinal);
        var held = new List<NetworkStream>();
        for (var i = 0; i < 100; i++) held.Add(weir.Connect());
        Eventually.Holds(() => weir.Said.Contains("cannot accept: Too many open files", StringComparison.Ordinal), () => weir.Said);
        Assert.EndsWith("here", Ask("/here"), StringComparison.Ordinal);
        Eventually.Holds(() => Ask("/there").StartsWith("HTTP/1.1 503 ", StringComparison.Ordinal), () => weir.Said);
        Assert.True(Regex.Count(weir.Said, "cannot accept") <= 4, weir.Said);

        foreach (var connection in held) connection.Dispose();
        Eventually.Holds(() => Ask("/there").EndsWith("hello", StringComparison.Ordinal), () => weir.Said);
        Eventually.Holds(() => weir.Exchange(Get).EndsWith("hello", StringComparison.Ordinal), () => weir.Said);
        for (var i = 0; i < 20; i++) Assert.EndsWith("hello", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.Equal(0, weir.Ask("status").Code);

        // On the connection that was there first and stays.
        string Ask(string path)
        {
            early.Write(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            var answer = "";
            while (true)
            {
                var b = early.ReadByte();
                Assert.True(b >= 0, answer);
                answer += (char)b;
                if (new StrictHttp(answer).Response("GET", ended: false, out _) is { IsWhole: true }) return answer;
            }
        }
    }

    private static void AssertThatOnlyRootCan(string[] prelude)
    {
        using var failed = new FailedStart($"user: {Other}\nlisten: \"127.0.0.1:0\"\nsites: [{{ respond: 200 }}]\n", prelude);
        Assert.Equal(1, failed.Code);
        Assert.Contains($"cannot become '{Other}': start as root, or as '{Other}'", failed.Error, StringComparison.Ordinal);
    }

    private static string Id(string what) => Command.Run("id", [what, Other]).Output.Trim();

    private static string UserName() => Command.Run("id", ["-un"]).Output.Trim();

    private static IEnumerable<string> ThreadsOf(int process)
    {
        foreach (var task in Directory.GetDirectories($"/proc/{process}/task"))
        {
            string status;
            try
            {
                status = File.ReadAllText(Path.Combine(task, "status"));
            }
            catch (IOException)
            {
                continue; // It has ended.
            }

            yield return status;
        }
    }

    private static string[] Words(string status, string name) =>
        status.Split('\n').Single(line => line.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..].Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex(@"^RELOADING=1\nMONOTONIC_USEC=(\d+)$")]
    private static partial Regex ReloadingPattern();
}
