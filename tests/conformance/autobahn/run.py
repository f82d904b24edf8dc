"""One run of the Autobahn testsuite. Started by `run.sh`, which finds or installs the suite.

    run.sh server --port 8080 --path /ws --cases quick --out DIR
    run.sh server --cases full --out DIR -- PROGRAM --listen {address}
    run.sh client --cases 1,2,12.1.3 --out DIR -- PROGRAM --server {address} --agent {agent}

Only the loopback interface is used. Every process that is started here is stopped here, by its id.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import verdict

# The whole suite has this many cases. Another number is another suite, and wants a look at its list.
FULL = 517
# What a change is checked with: all but the compression cases, and of those the cases of SIZES in
# each group. The bytes of the larger ones, not the rules, are what makes the suite take half an hour.
SIZES = (1, 2, 3, 4, 5, 11)
QUICK = "1,2,3,4,5,6,7,9,10," + ",".join(
    f"{group}.{size}"
    for group in [f"12.{i}" for i in range(1, 6)] + [f"13.{i}" for i in range(1, 8)]
    for size in SIZES
)
QUICK_CASES = 373
LIMITS = {"quick": 600, "full": 5400}


class Failure(Exception):
    """A run that is over, and why."""


def suite(*arguments):
    """The command line of the suite itself."""
    folder = os.path.dirname(os.path.abspath(__file__))
    python, site = os.environ["AUTOBAHN_PYTHON"], os.environ["AUTOBAHN_SITE"]
    return [python, "-W", "ignore", os.path.join(folder, "suite.py"), site, *arguments]


def cases_of(selection):
    known = json.loads(subprocess.run(suite("list"), check=True, timeout=60, stdout=subprocess.PIPE).stdout)
    if len(known) != FULL:
        raise Failure(f"the suite has {len(known)} cases, not {FULL}")
    if selection == "full":
        return sorted(known, key=verdict.order)
    try:
        cases = verdict.select(QUICK if selection == "quick" else selection, known)
    except ValueError as error:
        raise Failure(str(error)) from error
    if selection == "quick" and len(cases) != QUICK_CASES:
        raise Failure(f"quick is {len(cases)} cases, not {QUICK_CASES}")
    return cases


@contextlib.contextmanager
def process(command, log):
    """A process with its output in a file, gone at the end of the block whatever happens."""
    with open(log, "wb") as output:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        except OSError as error:
            raise Failure(f"cannot start {command[0]}: {error.strerror}") from error
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_until(ready, child, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not ready():
        if child is not None and child.poll() is not None:
            raise Failure(f"{what} ended with status {child.returncode} before it was ready")
        if time.monotonic() > deadline:
            raise Failure(f"{what} was not ready after {seconds} s")
        time.sleep(0.05)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def finish(child, deadline, what):
    """Waits for a process to end well, until the time of the whole run is over."""
    try:
        status = child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise Failure(f"{what} did not end in time") from None
    if status != 0:
        raise Failure(f"{what} ended with status {status}")


def write_spec(folder, **spec):
    os.makedirs(folder)
    path = os.path.join(folder, "spec.json")
    with open(path, "w", encoding="ascii") as out:
        json.dump({"outdir": os.path.join(folder, "reports"), **spec}, out)
    return path


def reports(folders):
    return [os.path.join(folder, "reports", "index.json") for folder in folders]


def fuzz_server(options, port, cases, deadline):
    """Runs the cases against a server, several connections at a time, and returns the reports."""
    folders = [os.path.join(options.out, f"part-{i}") for i in range(min(options.jobs, len(cases)))]
    url = f"ws://127.0.0.1:{port}{options.path}"
    with contextlib.ExitStack() as stack:
        clients = []
        for i, folder in enumerate(folders):
            spec = write_spec(folder, cases=cases[i :: len(folders)], agent=options.agent, url=url)
            log = os.path.join(folder, "suite.log")
            clients.append(stack.enter_context(process(suite("client", spec), log)))
        for client in clients:
            finish(client, deadline, "the suite")
    return reports(folders)


def test_server(options, cases, deadline):
    if not options.command:
        wait_until(lambda: listens(options.port), None, f"port {options.port}", 5)
        return fuzz_server(options, options.port, cases, deadline)
    port = free_port()
    with process(filled(options, port), os.path.join(options.out, "program.log")) as server:
        wait_until(lambda: listens(port), server, "the server")
        found = fuzz_server(options, port, cases, deadline)
        if server.poll() is not None:
            raise Failure(f"the server ended with status {server.returncode}")
    return found


def test_client(options, cases, deadline):
    folder = os.path.join(options.out, "part-0")
    port_file = os.path.join(folder, "port")
    spec = write_spec(folder, cases=cases, port_file=port_file)
    with process(suite("server", spec), os.path.join(folder, "suite.log")) as server:
        wait_until(lambda: os.path.exists(port_file), server, "the suite")
        with open(port_file, encoding="ascii") as text:
            port = int(text.read())
        with process(filled(options, port), os.path.join(options.out, "program.log")) as client:
            finish(client, deadline, "the client")
    return reports([folder])


def filled(options, port):
    """The command of the program under test, with its placeholders replaced."""
    values = {"{address}": f"127.0.0.1:{port}", "{port}": str(port), "{agent}": options.agent}
    return [values.get(word, word) for word in options.command]


def arguments():
    ours, dashes, command = sys.argv[1:], False, []
    if "--" in ours:
        at = ours.index("--")
        ours, dashes, command = ours[:at], True, ours[at + 1 :]
    parser = argparse.ArgumentParser(
        prog="run.sh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="After -- stands the program under test. {address}, {port} and {agent} are replaced in it.",
    )
    parser.add_argument("mode", choices=["server", "client"], help="what the program under test is")
    parser.add_argument("--port", type=int, help="of a server that runs already, on 127.0.0.1")
    parser.add_argument("--path", default="/", help="where a server speaks WebSocket [/]")
    parser.add_argument("--cases", default="quick", help="quick, full, or groups and cases: 1,7.3,12.1.5 [quick]")
    parser.add_argument("--out", required=True, help="a folder for reports and logs; earlier ones there go")
    parser.add_argument("--agent", default="sinew", help="the name in the reports [sinew]")
    parser.add_argument("--jobs", type=int, default=2, help="connections at a time, to a server [2]")
    parser.add_argument("--limit", type=int, help="seconds that all may take [600, full: 5400]")
    options = parser.parse_args(ours)
    options.command = command
    if options.mode == "client" and (options.port or not command):
        parser.error("a client is a program after --")
    if options.mode == "server" and (options.port is None) != (dashes and bool(command)):
        parser.error("a server is either --port or a program after --")
    if options.jobs < 1:
        parser.error("--jobs is at least 1")
    return options


def run(options):
    started = time.monotonic()
    options.out = os.path.abspath(options.out)
    os.makedirs(options.out, exist_ok=True)
    # Only what an earlier run made: a mistaken --out must not cost anybody a folder.
    for name in os.listdir(options.out):
        if name.startswith("part-"):
            shutil.rmtree(os.path.join(options.out, name))
    cases = cases_of(options.cases)
    deadline = started + (options.limit or LIMITS.get(options.cases, LIMITS["full"]))
    test = test_server if options.mode == "server" else test_client
    results = verdict.merge(test(options, cases, deadline), options.agent)
    found = verdict.failures(cases, results)
    for line in verdict.summary(results):
        print(line)
    for line in found:
        print(f"  FAILED {line}")
    seconds = time.monotonic() - started
    print(f"autobahn: {options.agent}: {len(cases)} cases, {len(found)} failures, {seconds:.0f} s")
    return 1 if found else 0


def main():
    # Stopped from outside, the blocks that end the other processes still have to run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments()
    try:
        return run(options)
    except (Failure, ValueError, OSError) as error:
        print(f"autobahn: {options.agent}: FAILED: {error} (logs in {options.out})")
        return 1


if __name__ == "__main__":
    sys.exit(main())
