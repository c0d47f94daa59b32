// A node that orders certificates, a folder, and a CA in this process, with a clock that is held. A node can be killed at any
// question it asks and any change it makes to the folder.

using Weir.Control.Certificates;
using Weir.Control.Certificates.Acme;
using Weir.Engine.Observe;
using Weir.Tests.Support;
using Weir.Tests.Unit.Control.Discovery;

namespace Weir.Tests.Unit.Control.Certificates;

/// <summary>The node is no more.</summary>
internal sealed class KilledException : Exception;

/// <summary>One process that orders.</summary>
internal sealed class Node
{
    private int left = int.MaxValue;

    public Node(string path, AcmeServer server, HeldTime time, Issuer? issuer = null, string who = "node one")
    {
        (Server, Time) = (server, time);
        Folder = new CertificateFolder(path, Said.Add) { Changed = _ => Step() };
        Assert.Null(Folder.Open());
        Answers = new ChallengeAnswers(Folder, time);
        Owner = new LeaseOwner(who);
        Issuer = issuer ?? new Issuer("the CA", server.Directory);
        Handler = new Steps(this);
        Account = new AcmeAccount(new AcmeClient(Issuer, time, Handler), Folder, time, Owner, Said.Add);
    }

    public List<string> Said { get; } = [];

    public AcmeServer Server { get; }

    public HeldTime Time { get; }

    public CertificateFolder Folder { get; }

    public ChallengeAnswers Answers { get; }

    public LeaseOwner Owner { get; }

    public Issuer Issuer { get; }

    public HttpMessageHandler Handler { get; }

    public AcmeAccount Account { get; }

    public IChallengeWay[]? Ways { get; set; }

    public KeyType KeyType { get; set; }

    /// <summary>Questions and changes so far.</summary>
    public int Count { get; private set; }

    /// <summary>Kills it after so many further questions and changes; each question counts twice, before it is heard and after.</summary>
    public void KillAfter(int steps) => left = steps;

    /// <summary>Orders a certificate, the clock being moved on whenever something waits for it.</summary>
    public GivenCertificate Order(string name, GivenCertificate? replaced = null) => Time.Run(() => OrderAsync(name, replaced));

    public async Task<GivenCertificate> OrderAsync(string name, GivenCertificate? replaced = null)
    {
        CertificateFolder.MakeFolder(Folder.NameFolder(name));
        var lease = new Lease(Folder.NameFolder(name), Owner, Time);
        while (!lease.TryTake(out _)) await Task.Delay(TimeSpan.FromSeconds(5), Time);
        var wanted = new Wanted(name, KeyType, Ways ?? [new HttpWay(Answers, Time), new TlsAlpnWay(Answers, Time)], replaced);
        var given = await new Ordering(Folder, Account, wanted, lease, Time, (level, text) => Said.Add($"{level} {text}")).RunAsync(CancellationToken.None);
        lease.Release();
        return given;
    }

    private void Step()
    {
        if (left-- <= 0)
        {
            left = 0;
            throw new KilledException();
        }

        Count++;
    }

    private sealed class Steps(Node node) : DelegatingHandler(node.Server)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            node.Step();
            var answer = await base.SendAsync(request, cancellationToken);
            node.Step();
            return answer;
        }
    }
}

internal static class HeldTimes
{
    /// <summary>Moves the clock to whatever is due next until something is done.</summary>
    public static T Run<T>(this HeldTime time, Func<Task<T>> work, TimeSpan? most = null)
    {
        // Without a context whoever is woken goes on at once, on this thread: when nothing runs, all that is left is to wait.
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            var task = work();
            var until = time.GetUtcNow() + (most ?? TimeSpan.FromDays(400));
            while (!task.IsCompleted)
            {
                if (time.Next is { } next && time.GetUtcNow() < until) time.Advance(Math.Max(0, next));
                else Assert.Fail(time.GetUtcNow() < until ? "nothing is due, and it is not done" : "it takes too long");
            }

            return task.GetAwaiter().GetResult();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }
}
