// Where a configuration comes from, and how a running program takes another.

using System.Net;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class ReloadTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Fact]
    public void A_folder_of_files_is_one_configuration()
    {
        using var origin = new RawOrigin();
        var (folder, files) = NewFolder();
        File.WriteAllText(Path.Combine(files, "10-ground.yaml"), $"control: {folder}/weir.sock\nloops: 2\nlisten: [\"127.0.0.1:0\"]\nlimits: {{ body: 10 }}\nsites: [{{ hosts: [a], respond: {{ body: a }} }}]\n");
        File.WriteAllText(Path.Combine(files, "20-more.yml"), $"limits: {{ target: 100 }}\nupstreams: {{ one: \"{origin.Url}\" }}\nsites: [{{ hosts: [b], proxy: one }}]\n");
        File.WriteAllText(Path.Combine(files, "30-more.json"), "{ \"listen\": [\"127.0.0.2:0\"] }");
        File.WriteAllText(Path.Combine(files, "README"), "not: configuration: at all");
        File.WriteAllText(Path.Combine(files, "10-ground.yaml~"), "neither: is this");
        using var weir = WeirProcess.StartAt(files, folder);
        Assert.EndsWith("\r\n\r\na", WeirProcess.Exchange(new IPEndPoint(IPAddress.Parse("127.0.0.2"), weir.Ports[1]), Get), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\na", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nhello", weir.Exchange(To("b")), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 413 ", weir.Exchange("POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 11\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 414 ", weir.Exchange($"GET /{new string('a', 200)} HTTP/1.1\r\nHost: b\r\n\r\n"), StringComparison.Ordinal);

        Assert.StartsWith("HTTP/1.1 421 ", weir.Exchange(To("c")), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(files, "40-later.yaml"), "sites: [{ hosts: [c], respond: { body: c } }]\n");
        var (code, _, error) = weir.Ask("reload");
        Assert.True(code == 0, error);
        Assert.EndsWith("\r\n\r\nc", weir.Exchange(To("c")), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\na", weir.Exchange(Get), StringComparison.Ordinal);
    }

    [Fact]
    public void What_two_files_of_a_folder_both_give_is_refused_with_both_places()
    {
        var (folder, files) = NewFolder();
        File.WriteAllText(Path.Combine(files, "a.yaml"), "listen: \":0\"\nvia: one\nupstreams:\n  app: \"http://127.0.0.1:1\"\n  api: { endpoints: [\"http://127.0.0.1:1\"] }\nsites: [{ hosts: [x], proxy: app }]\n");
        File.WriteAllText(Path.Combine(files, "b.yaml"), "upstreams:\n  api: { endpoints: [\"http://127.0.0.1:2\"] }\n  app: \"http://127.0.0.1:2\"\nvia: two\n");
        var (code, _, error) = WeirProcess.Run("check", files);
        Assert.Equal(2, code);
        Assert.Contains($"{files}/b.yaml:2:3: error: 'api' is given twice; first at {files}/a.yaml:5:3", error, StringComparison.Ordinal);
        Assert.Contains($"{files}/b.yaml:3:3: error: 'app' is given twice; first at {files}/a.yaml:4:3", error, StringComparison.Ordinal);
        Assert.Contains($"{files}/b.yaml:4:1: error: 'via' is given twice; first at {files}/a.yaml:2:1", error, StringComparison.Ordinal);

        File.WriteAllText(Path.Combine(files, "b.yaml"), "sites:\n  - { hosts: [y, x], respond: 200 }\n");
        (code, _, error) = WeirProcess.Run("check", files);
        Assert.Equal(2, code);
        Assert.Contains($"{files}/b.yaml:2:18: error: the host 'x' is served twice; first at {files}/a.yaml:6:19", error, StringComparison.Ordinal);

        File.Delete(Path.Combine(files, "a.yaml"));
        File.Delete(Path.Combine(files, "b.yaml"));
        (code, _, error) = WeirProcess.Run("check", files);
        Assert.Equal(2, code);
        Assert.Contains("the folder holds no .yaml, .yml or .json file", error, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void The_environment_and_files_are_put_into_values()
    {
        using var origin = new RawOrigin();
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var secret = Path.Combine(folder, "secret");
        File.WriteAllText(secret, "first\n");
        var configuration = $$"""
            listen: "${AT}:0"
            sites:
              - proxy: "http://${AT}:${ORIGIN_PORT}"
                routes:
                  - { match: /never, respond: "${STATUS}" }
                  - { match: /key, request_headers: { set: { x-key: "k ${file:{{secret}}} ${AT}" } }, proxy: "{{origin.Url}}" }

            """;
        using var weir = WeirProcess.Start(configuration, folder, null, ("AT", "127.0.0.1"), ("ORIGIN_PORT", origin.Url.Split(':')[2]), ("STATUS", "418"));
        Assert.EndsWith("hello", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 418 ", weir.Exchange(Get.Replace("GET / ", "GET /never ", StringComparison.Ordinal)), StringComparison.Ordinal);
        var key = Get.Replace("GET / ", "GET /key ", StringComparison.Ordinal);
        weir.Exchange(key);
        Assert.Contains("x-key: k first 127.0.0.1\r\n", origin.Received[1], StringComparison.Ordinal);

        // A secret is changed by changing its file.
        File.WriteAllText(secret, "second");
        Assert.Equal(0, weir.Ask("reload").Code);
        weir.Exchange(key);
        Assert.Contains("x-key: k second 127.0.0.1\r\n", origin.Received[2], StringComparison.Ordinal);
        File.Delete(secret);
        var (code, _, error) = weir.Ask("reload");
        Assert.Equal(1, code);
        Assert.Contains($"weir.yaml:8:57: error: cannot read '{secret}'", error, StringComparison.Ordinal);
        weir.Exchange(key);
        Assert.Contains("x-key: k second 127.0.0.1\r\n", origin.Received[3], StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_in_the_environment_is_said_and_what_is_stays_secret()
    {
        using var missing = new FailedStart("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: \"${WEIR_TEST_NOT_THERE}\" } }]\n");
        Assert.Equal(2, missing.Code);
        Assert.Contains("weir.yaml:4:28: error: the environment has no 'WEIR_TEST_NOT_THERE'", missing.Error, StringComparison.Ordinal);
        using var wrong = new FailedStart("listen: \"127.0.0.1:0\"\ndrain_timeout: \"${WEIR_TEST_SECRET}\"\nsites: [{ respond: 200 }]\n", null, ("WEIR_TEST_SECRET", "sesame"));
        Assert.Equal(2, wrong.Code);
        Assert.Contains("weir.yaml:4:16: error: ", wrong.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_warning_of_a_reload_is_a_line_of_its_own()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: 200 }]\n");
        weir.Configure("listen: \"127.0.0.1:0\"\nhttps_redirect: true\nhsts: 1y\nsites: [{ respond: 200 }]\n");
        Assert.Equal(0, weir.Ask("reload").Code);
        Eventually.Holds(() => weir.Said.Contains($"warn reload: {weir.ConfigPath}:5:7: warning: this is never said", StringComparison.Ordinal), () => weir.Said);
        Assert.Contains($"info reload: the new configuration is in force; {weir.ConfigPath}:4:17: warning: nobody is sent to https: no site has tls\n", weir.Said.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_watched_file_is_taken_when_it_changes_and_a_bad_one_is_refused()
    {
        const string Watched = "listen: \"127.0.0.1:0\"\nwatch: true\n";
        using var weir = WeirProcess.Start(Watched + "sites: [{ respond: { body: one } }]\n");
        weir.Configure(Watched + "sites: [{ respnd: { body: two } }]\n");
        Eventually.Holds(() => weir.Said.Contains($"error reload: refused, the configuration in force stays: {weir.ConfigPath}:5:11: error: unknown key 'respnd' in site; did you mean 'respond'?", StringComparison.Ordinal), () => weir.Said);
        Assert.EndsWith("\r\n\r\none", weir.Exchange(Get), StringComparison.Ordinal);

        // As editors save: another file takes the name.
        var next = weir.ConfigPath + ".next";
        File.WriteAllText(next, $"control: {weir.ControlPath}\nloops: 2\n{Watched}sites: [{{ respond: {{ body: two }} }}]\n");
        File.Move(next, weir.ConfigPath, overwrite: true);
        Eventually.Holds(() => weir.Exchange(Get).EndsWith("\r\n\r\ntwo", StringComparison.Ordinal), () => weir.Said);
    }

    // As where Kubernetes mounts a ConfigMap: a link to a file through a link to a folder, and only that one is switched.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_watched_file_behind_a_link_that_is_switched_is_taken(bool isFolder)
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var files = Directory.CreateDirectory(Path.Combine(folder, "files")).FullName;
        void Write(string name, string body)
        {
            var file = Path.Combine(Directory.CreateDirectory(Path.Combine(files, name)).FullName, "weir.yaml");
            File.WriteAllText(file, $"control: {Path.Combine(folder, "weir.sock")}\nlisten: \"127.0.0.1:0\"\nwatch: true\nsites: [{{ respond: {{ body: {body} }} }}]\n");
            File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch.AddSeconds(1));
        }

        Write("..first", "one");
        Write("..second", "two");
        var data = Path.Combine(files, "..data");
        Directory.CreateSymbolicLink(data, "..first");
        File.CreateSymbolicLink(Path.Combine(files, "weir.yaml"), Path.Combine("..data", "weir.yaml"));
        using var weir = WeirProcess.StartAt(isFolder ? files : Path.Combine(files, "weir.yaml"), folder);
        Assert.EndsWith("\r\n\r\none", weir.Exchange(Get), StringComparison.Ordinal);
        Directory.CreateSymbolicLink(data + "_tmp", "..second");
        Assert.Equal(0, Command.Run("mv", ["-T", data + "_tmp", data], folder, TimeSpan.FromSeconds(20)).Code);
        Eventually.Holds(() => weir.Exchange(Get).EndsWith("\r\n\r\ntwo", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void HUP_takes_a_good_configuration_and_refuses_a_bad_one()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: one } }]\n");
        using var kept = weir.Connect();
        weir.Configure("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: two } }]\n");
        weir.Signal("HUP");
        Eventually.Holds(() => weir.Exchange(Get).EndsWith("\r\n\r\ntwo", StringComparison.Ordinal), () => weir.Said);
        weir.Configure("listen: \"127.0.0.1:0\"\nsites: [{ respond: { bdy: three } }]\n");
        weir.Signal("HUP");
        Eventually.Holds(() => weir.Said.Contains($"{weir.ConfigPath}:4:22: error: unknown key 'bdy' in respond; did you mean 'body'?", StringComparison.Ordinal), () => weir.Said);
        kept.Write(Encoding.ASCII.GetBytes(Get));
        Assert.EndsWith("\r\n\r\ntwo", WeirProcess.ReadToEnd(kept), StringComparison.Ordinal);
    }

    private static string To(string host) => Get.Replace("Host: a", $"Host: {host}", StringComparison.Ordinal);

    private static (string Folder, string Files) NewFolder()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        return (folder, Directory.CreateDirectory(Path.Combine(folder, "conf.d")).FullName);
    }
}
