// The two ends of a measurement.
//   load origin PORT         serves until it is ended; says its port (0: of the system's choosing)
//   load slow-origins …      as many servers as service times, each with so many slots; says their ports
//   load run  --port P …     generates load, closed loop or open (--rate); prints one line of JSON
//   load herd --port P …     clients that are connected and ask for one thing at once; prints one line of JSON
//   load hold --port P …     opens connections that each carry one request; holds them until standard input ends

using System.Globalization;
using Weir.Bench.Load;

Kernel.RaiseDescriptors();
try
{
    switch (args)
    {
        case ["origin", var port]:
            var origin = new Origin(int.Parse(port, CultureInfo.InvariantCulture));
            Console.WriteLine(origin.Port);
            origin.Run();
            return 0;
        case ["slow-origins", ..]:
            var servers = new SlowOrigins(Service.Read(args.AsSpan(1)));
            Console.WriteLine(servers.Ports);
            servers.Run();
            return 0;
        case ["run", ..]:
            Console.WriteLine(new Generator(Work.Read(args.AsSpan(1))).Run());
            return 0;
        case ["herd", ..]:
            Console.WriteLine(Herd.Run(Work.Read(args.AsSpan(1))));
            return 0;
        case ["hold", ..]:
            return Generator.Hold(Work.Read(args.AsSpan(1)));
        default:
            Console.Error.WriteLine("load origin PORT | load slow-origins [--service MICROSECONDS,…] [--slots N] [--refuse] | load run --port P [--connections N] [--seconds S | --requests N] [--rate R [--then-rate R --then-seconds S]] [--any-status] [--path /] [--from N] [--numbers N] [--sequence FILE] [--codings C] [--host H] [--upload BYTES] [--close] [--tls] [--resume] [--sources N] | load herd --port P --connections N --path / [--sources N] | load hold --port P --connections N [--tls]");
            return 2;
    }
}
catch (Exception e) when (e is FormatException or InvalidOperationException)
{
    Console.Error.WriteLine($"load: {e.Message}");
    return 1;
}
