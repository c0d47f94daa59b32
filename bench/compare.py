# The measuring behind bench/compare. Standard library only.
import json, os, re, resource, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HOME, WEIR = os.environ["HOME_DIR"], os.environ["WEIR"]
ROUNDS, SECONDS, PEERS = int(os.environ["ROUNDS"]), int(os.environ["SECONDS_EACH"]), os.environ["PEERS"].split()
TICK = os.sysconf("SC_CLK_TCK")
DIR = tempfile.mkdtemp(prefix="weir-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
os.chmod(DIR, 0o755), os.makedirs(f"{DIR}/files"), os.makedirs(f"{DIR}/tmp", 0o777), os.chmod(f"{DIR}/tmp", 0o777)
started = []

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

def fill(name, **values):
    text = open(f"{HOME}/bench/peers/{name}").read()
    for key, value in {"DIR": DIR, **values}.items():
        text = text.replace(f"@{key}@", str(value))
    path = f"{DIR}/{values.get('PORT', 'o')}-{name}"
    open(path, "w").write(text)
    return path

def start(cpu, *command):
    process = subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started.append(process)
    return process

def wait_port(port):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.025)
    raise SystemExit(f"nothing listens on {port}: {started[-1].args}")

def tree(pid):
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid] + [int(c) for c in children]

def cpu(pids):
    user = kernel = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        user, kernel = user + int(fields[11]), kernel + int(fields[12])
    return user / TICK, kernel / TICK

def private(pids):
    total = 0
    for pid in pids:
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Private_"):
                total += int(line.split()[1]) * 1024
    return total

def wrk(port, path, connections, seconds, extra=()):
    out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", *extra, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True).stdout
    count = int(re.search(r"(\d+) requests in", out).group(1))
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    return count, float(p99.group(1)) * {"us": 1e-3, "ms": 1, "s": 1000}[p99.group(2)], float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), "Socket errors" in out

def transfer(port, upload):
    url = f"http://127.0.0.1:{port}" + ("/sink" if upload else "/files/100m")
    command = ["taskset", "-c", "1", "curl", "-s", "-o", "/dev/null", "-H", "Expect:"] + (["-T", f"{DIR}/files/100m"] if upload else []) + [url]
    for _ in range(3):
        subprocess.run(command, check=True)
    return 3, 0, 0, False

class Idle:
    """Idle keep-alive connections that have each carried a request."""
    def __init__(self, port, count):
        self.sockets = []
        for i in range(count):
            s = socket.socket()
            s.bind((f"127.0.0.{2 + i // 2000}", 0))
            s.connect(("127.0.0.1", port))
            s.sendall(b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
            s.recv(4096)
            self.sockets.append(s)
    def close(self):
        for s in self.sockets:
            s.close()

def main():
    origin = free_port()
    open(f"{DIR}/files/64k", "wb").write(b"x" * 65536)
    open(f"{DIR}/files/100m", "wb").write(b"\0" * (100 << 20))
    start(1, "nginx", "-c", fill("origin.conf", ORIGIN=origin), "-g", "daemon off;")
    wait_port(origin)
    ports, pids, admin = {}, {}, 0
    for peer in PEERS:
        port = ports[peer] = free_port()
        if peer == "weir":
            admin = free_port()
            process = start(0, WEIR, "run", "-c", fill("weir.yaml", PORT=port, ORIGIN=origin, ADMIN=admin))
        elif peer == "nginx":
            process = start(0, "nginx", "-c", fill("nginx.conf", PORT=port, ORIGIN=origin), "-g", "daemon off;")
        elif peer == "haproxy":
            process = start(0, "haproxy", "-db", "-f", fill("haproxy.cfg", PORT=port, ORIGIN=origin))
        else:
            process = start(0, "dotnet", f"{HOME}/artifacts/bench/yarp/yarp.dll", str(port), str(origin))
        wait_port(port)
        pids[peer] = tree(process.pid)
    rows = [
        ("small answer, 64 connections", lambda p: wrk(p, "/small", 64, SECONDS), "µs"),
        ("small answer, 1 connection", lambda p: wrk(p, "/small", 1, SECONDS), "µs"),
        ("small answer, 1,024 connections", lambda p: wrk(p, "/small", 1024, SECONDS), "µs"),
        ("64 KiB answer, 64 connections", lambda p: wrk(p, "/files/64k", 64, SECONDS), "µs"),
        ("new connection per request", lambda p: wrk(p, "/small", 16, SECONDS, ["-H", "Connection: close"]), "µs"),
        ("100 MiB download", lambda p: transfer(p, False), "ms"),
        ("100 MiB upload", lambda p: transfer(p, True), "ms"),
    ]
    if os.environ.get("ROWS"):
        rows = [r for r in rows if any(w in r[0] for w in os.environ["ROWS"].split(","))]
    results = {}
    for peer in PEERS:
        wrk(ports[peer], "/small", 64, 2), wrk(ports[peer], "/files/64k", 64, 1)
    allocated = {}
    for name, run, unit in rows:
        for round_ in range(ROUNDS):
            for peer in PEERS:
                if peer == "weir":
                    before = metric(admin, "weir_process_allocated_bytes_total")
                u0, k0 = cpu(pids[peer])
                count, p99, rate, errors = run(ports[peer])
                u1, k1 = cpu(pids[peer])
                scale = 1e6 if unit == "µs" else 1e3
                results.setdefault(name, {}).setdefault(peer, []).append(((u1 - u0) * scale / count, (k1 - k0) * scale / count, p99, rate))
                if peer == "weir" and round_ == ROUNDS - 1:
                    allocated[name] = (metric(admin, "weir_process_allocated_bytes_total") - before) / count
    print_rows(rows, results)
    if allocated:
        print("\nWeir, bytes allocated per request (the scrapes themselves included): " + ", ".join(f"{name}: {value:.1f}" for name, value in allocated.items()))
    count = min(9000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200))
    print(f"\n| idle keep-alive connections, {count} held | private bytes per connection | resident MiB after |\n| --- | ---: | ---: |")
    for peer in PEERS:
        n = min(count, 8000) if peer == "haproxy" else count
        before = private(pids[peer])
        held = Idle(ports[peer], n)
        time.sleep(1.5)
        after = private(pids[peer])
        print(f"| {peer} | {(after - before) / n:,.0f} | {resident(pids[peer]):.1f} |")
        held.close()
    if "weir" in PEERS:
        print(f"\nWeir, start to first answered request: {statistics.median(start_time() for _ in range(5)):.0f} ms")

def resident(pids):
    return sum(int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{p}/status").read()).group(1)) for p in pids) / 1024

def metric(admin, name):
    with socket.create_connection(("127.0.0.1", admin)) as s:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return float(re.search(rf"^{name} (\S+)", text, re.M).group(1))

def start_time():
    port = free_port()
    config = f"{DIR}/start.yaml"
    open(config, "w").write(f'loops: 1\ncontrol: {DIR}/start.sock\nlisten: "127.0.0.1:{port}"\nsites: [{{ respond: 200 }}]\n')
    began = time.monotonic()
    process = subprocess.Popen([WEIR, "run", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                s.recv(100)
                break
        except OSError:
            time.sleep(0.001)
    took = (time.monotonic() - began) * 1000
    process.terminate(), process.wait()
    return took

def print_rows(rows, results):
    os.makedirs(f"{HOME}/artifacts/bench", exist_ok=True)
    json.dump(results, open(f"{HOME}/artifacts/bench/latest.json", "w"), indent=1)
    head = "| work | " + " | ".join(f"{peer}" for peer in PEERS) + " | " + " | ".join(f"weir / {p}" for p in PEERS if p != "weir") + " |"
    print("CPU of the proxy per request or transfer: total (user + kernel); p99 where it is measured\n")
    print(head), print("| --- |" + " ---: |" * (head.count("|") - 2))
    for name, _, unit in rows:
        medians = {}
        cells = []
        for peer in PEERS:
            runs = results[name][peer]
            median = sorted(runs, key=lambda r: r[0] + r[1])[len(runs) // 2]
            medians[peer] = median[0] + median[1]
            p99 = f", p99 {median[2]:.2f} ms" if median[2] else ""
            cells.append(f"{medians[peer]:.1f} {unit} ({median[0]:.1f} + {median[1]:.1f}){p99}")
        ratios = [f"{medians['weir'] / medians[p]:.2f}" for p in PEERS if p != "weir"] if "weir" in PEERS else []
        print(f"| {name} | " + " | ".join(cells + ratios) + " |", flush=True)

try:
    main()
finally:
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    shutil.rmtree(DIR, ignore_errors=True)
