// The statuses that are counted one by one: those that are registered. Any other is counted with the others of its class, so
// that no origin can make series without end.

namespace Weir.Engine.Observe;

/// <summary>From a status to its place among counters. Any thread.</summary>
public static class StatusCodes
{
    private static readonly int[] Registered =
    [
        101, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308,
        400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451,
        500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
    ];

    // A class's rest stands at the class's own number; 0: ended without a status.
    private const int Classes = 6;

    private static readonly byte[] Places = Place();

    /// <summary>Places there are.</summary>
    public static int Count => Classes + Registered.Length;

    /// <summary>The place of a status.</summary>
    public static int PlaceOf(int status) => (uint)status < (uint)Places.Length ? Places[status] : 0;

    /// <summary>The class counted at a place: 0 where there was no status.</summary>
    public static int ClassOf(int place) => place < Classes ? place : Registered[place - Classes] / 100;

    /// <summary>The status counted at a place; 0: several, or none.</summary>
    public static int StatusOf(int place) => place < Classes ? 0 : Registered[place - Classes];

    private static byte[] Place()
    {
        var places = new byte[600];
        for (var status = 0; status < places.Length; status++) places[status] = (byte)(status / 100);
        for (var i = 0; i < Registered.Length; i++) places[Registered[i]] = (byte)(Classes + i);
        return places;
    }
}
