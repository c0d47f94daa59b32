// The bytes of every large body: one mebibyte, over and over, in which a lost or doubled byte shows. Sent from memory by
// the kernel, so that the core that also carries the generator copies nothing.

namespace Weir.Bench.Load;

internal static unsafe class Pattern
{
    public const int Size = 1 << 20;

    /// <summary>The pattern itself.</summary>
    public static readonly int File = Kernel.CreateMemoryFile(Bytes());

    /// <summary>Sends what the socket takes of a body of <paramref name="length"/> bytes, from <paramref name="sent"/> on.</summary>
    /// <returns>0 where the socket is full or the body is out; else the error.</returns>
    public static int Send(int descriptor, ref long sent, long length) => Send(descriptor, File, ref sent, length);

    /// <summary>The same of another file of <see cref="Size"/> bytes.</summary>
    public static int Send(int descriptor, int file, ref long sent, long length)
    {
        while (sent < length)
        {
            var offset = sent % Size;
            var n = Kernel.sendfile(descriptor, file, &offset, (nuint)Math.Min(length - sent, Size - offset));
            if (n <= 0)
            {
                var error = Kernel.Errno;
                return n < 0 && error is Kernel.Again or Kernel.NotConnected ? 0 : Math.Max(error, 1);
            }

            sent += n;
        }

        return 0;
    }

    /// <summary>The byte at a place of a body.</summary>
    public static byte At(long place) => (byte)(((place % Size) * 31) ^ ((place % Size) >> 8));

    private static byte[] Bytes()
    {
        var bytes = new byte[Size];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = At(i);
        return bytes;
    }
}
