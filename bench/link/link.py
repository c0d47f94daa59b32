#!/usr/bin/env python3
# A link in user space, for kernels without netem: packets go from one tun device to another late, or not at all. The devices
# may stand in namespaces of their own.
#   link.py DEVICE DEVICE RTT LOSS BURST SEED       RTT in seconds, LOSS from 0 to 1, BURST packets lost in a row on average
# Only packets with data are lost, in both directions. Says "ready" when the devices are there.

import fcntl, heapq, os, random, select, struct, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
LARGEST_WITHOUT_DATA = 200


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class Losses:
    """Gilbert's channel: while it is bad all is lost."""

    def __init__(self, loss, burst, random):
        self.leave = 1 / burst if burst > 1 else 1 - loss
        self.enter = loss * self.leave / (1 - loss) if burst > 1 else loss
        self.random, self.bad = random, False

    def next(self):
        self.bad = self.random.random() < (1 - self.leave if self.bad else self.enter)
        return self.bad


def relay(one, other, rtt, loss, burst, seed):
    ends = [open_tun(one), open_tun(other)]
    losses = {fd: Losses(loss, burst, random.Random(f"{seed} {i}")) for i, fd in enumerate(ends)}
    print("ready", flush=True)
    queue, order = [], 0
    while True:
        wait = max(0, queue[0][0] - time.monotonic()) if queue else None
        for fd in select.select(ends, [], [], wait)[0]:
            for _ in range(64):
                try:
                    packet = os.read(fd, 65536)
                except OSError:
                    break
                if len(packet) > LARGEST_WITHOUT_DATA and losses[fd].next():
                    continue
                order += 1
                heapq.heappush(queue, (time.monotonic() + rtt / 2, order, ends[1] if fd == ends[0] else ends[0], packet))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, to, packet = heapq.heappop(queue)
            try:
                os.write(to, packet)
            except OSError:
                pass


relay(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]), sys.argv[6])
