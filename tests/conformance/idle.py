#!/usr/bin/env python3
"""What idle connections cost a server in memory.

    idle.py --port 8080 --pid PID [--http] [--path /ws] [--connections 10000] [--max-bytes 2048]

Opens WebSockets, leaves them idle, and measures the process; then has one message echoed on
each, and measures again. With --http the connections stay with HTTP: first none of them was used,
then each was used for one request. The figures are resident and private bytes per connection of that process
(`/proc/PID/smaps_rollup`), above what it had before; the kernel's socket buffers are not in them.
With --max-bytes, more resident bytes than that at either moment is a failure. So is a connection
that was refused, closed or answered wrongly. Needs Linux and Python's standard library.
"""

import argparse
import base64
import hashlib
import os
import resource
import select
import socket
import struct
import sys
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
PAYLOAD = b"sixteen bytes ok"
PING = 0x89  # A whole message, as control frames are.
# How many opening handshakes or echoes are under way at a time: less than a usual backlog.
BATCH = 100
SETTLE_S = 1.0
ANSWER_S = 20.0
# An address has about 28,000 ports to come from, and finding a free one takes longer the fewer are
# left: this many connections come from each 127.0.0.x.
PER_ADDRESS = 5_000
RESET = struct.pack("ii", 1, 0)


class Failure(Exception):
    """What the server did wrong, or cannot be measured."""


def memory(pid):
    """Resident and private bytes of a process."""
    found = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name in found:
                    found[name] = int(value.split()[0]) * 1024
    except OSError as error:
        raise Failure(f"the memory of {pid} cannot be read: {error.strerror}") from error
    return found["Rss"], found["Private_Clean"] + found["Private_Dirty"]


def allow_files(count):
    """Raises the limit of open files of this process, and says so if it cannot be raised far enough."""
    wanted = count + 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in (soft, hard) and wanted > hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, OSError) as error:
            raise Failure(f"{wanted} files are needed and {hard} allowed: ulimit -n {wanted}") from error
    elif soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def masked(opcode, payload):
    """A frame as a client sends it (RFC 6455 §5.2), with a payload of at most 125 bytes."""
    mask = os.urandom(4)
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + body


class Crowd:
    """Connections that are kept alive: a ping is answered whenever it comes, as idle clients do."""

    def __init__(self):
        self.poller = select.epoll()
        self.sockets = {}
        self.unread = {}
        # The connections that have to answer: with a head, or with an echo.
        self.waiting = set()
        self.pings = 0

    def open(self, port, path, number):
        source = (f"127.0.0.{number // PER_ADDRESS + 1}", 0)
        connection = socket.create_connection(("127.0.0.1", port), ANSWER_S, source)
        self.sockets[connection.fileno()] = connection
        self.unread[connection.fileno()] = b""
        self.poller.register(connection, select.EPOLLIN)
        return connection

    def exchange(self, batch, sent, take):
        """Sends to each of a batch, and reads until `take` has found an answer of each."""
        self.waiting = {connection.fileno() for connection in batch}
        for connection in batch:
            connection.sendall(sent)
        deadline = time.monotonic() + ANSWER_S
        while self.waiting:
            if time.monotonic() > deadline:
                raise Failure(f"{len(self.waiting)} connections had no answer in {ANSWER_S:.0f} s")
            self.read(take, 0.1)

    def rest(self, seconds):
        """Leaves the connections idle."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(lambda unread: 0, left)

    def read(self, take, seconds):
        for number, _ in self.poller.poll(seconds):
            part = self.sockets[number].recv(4096)
            if not part:
                raise Failure("the server closed a connection")
            unread = self.answer_pings(number, self.unread[number] + part)
            if number in self.waiting and (taken := take(unread)):
                self.waiting.discard(number)
                unread = self.answer_pings(number, unread[taken:])
            if number not in self.waiting and unread and unread[0] != PING:
                raise Failure(f"an idle connection was sent {unread[:80]!r}")
            self.unread[number] = unread

    def answer_pings(self, number, unread):
        """Answers the pings that stand first, and returns what follows them."""
        while len(unread) >= 2 and unread[0] == PING and len(unread) >= 2 + unread[1]:
            end = 2 + unread[1]
            self.sockets[number].sendall(masked(0xA, unread[2:end]))
            self.pings += 1
            unread = unread[end:]
        return unread


def open_all(crowd, port, path, count):
    key = base64.b64encode(os.urandom(16))
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    request = (
        b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (path.encode("ascii"), port, key)
    )

    def take_head(unread):
        head, end, _ = unread.partition(b"\r\n\r\n")
        if not end:
            return 0
        if not head.startswith(b"HTTP/1.1 101 ") or accept not in head:
            raise Failure(f"the opening handshake was answered with {head[:80]!r}")
        return len(head) + len(end)

    for start in range(0, count, BATCH):
        batch = [crowd.open(port, path, i) for i in range(start, min(start + BATCH, count))]
        crowd.exchange(batch, request, take_head)


def echo_all(crowd):
    expected = bytes([0x82, len(PAYLOAD)]) + PAYLOAD

    def take_echo(unread):
        if unread[:1] == bytes([PING]):
            return 0
        if not expected.startswith(unread[: len(expected)]):
            raise Failure(f"the echo was {unread!r}, not {expected!r}")
        return len(expected) if len(unread) >= len(expected) else 0

    sockets = list(crowd.sockets.values())
    for start in range(0, len(sockets), BATCH):
        crowd.exchange(sockets[start : start + BATCH], masked(0x2, PAYLOAD), take_echo)


def get_all(crowd, path):
    request = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode("ascii")

    def take_response(unread):
        head, end, body = unread.partition(b"\r\n\r\n")
        if not end:
            return 0
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")]
        if not head.startswith(b"HTTP/1.1 200 ") or len(length) != 1 or b"\nconnection: close" in head.lower():
            raise Failure(f"the request was answered with {head[:200]!r}")
        size = len(head) + len(end) + int(length[0].split()[1])
        return size if len(unread) >= size else 0

    sockets = list(crowd.sockets.values())
    for start in range(0, len(sockets), BATCH):
        crowd.exchange(sockets[start : start + BATCH], request, take_response)


def connect_all(crowd, port, count):
    for number in range(count):
        crowd.open(port, None, number)
        if number % BATCH == BATCH - 1:
            # The backlog is short; who is not accepted yet is not counted as idle.
            crowd.rest(0.005)


def measure(options):
    allow_files(options.connections)
    before = memory(options.pid)
    print(f"before: {before[0] // 1024} KiB resident, {before[1] // 1024} KiB private")
    crowd = Crowd()

    def look(moment):
        crowd.rest(SETTLE_S)
        now = memory(options.pid)
        resident, private = ((now[i] - before[i]) / options.connections for i in range(2))
        print(f"{moment}: {resident:.0f} bytes resident, {private:.0f} private, per connection")
        return resident

    if options.http:
        connect_all(crowd, options.port, options.connections)
        largest = look("open and never used")
        get_all(crowd, options.path)
        largest = max(largest, look("after one request on each"))
    else:
        open_all(crowd, options.port, options.path, options.connections)
        largest = look("open and idle")
        echo_all(crowd)
        largest = max(largest, look("after one echo on each"))
        print(f"pings answered: {crowd.pings}")
    for connection in crowd.sockets.values():
        # A reset leaves no port behind that would be taken for a minute.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()
    return largest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="of the server, on 127.0.0.1")
    parser.add_argument("--pid", type=int, required=True, help="the process of the server")
    parser.add_argument("--http", action="store_true", help="connections of HTTP, not WebSockets")
    parser.add_argument("--path", default="/", help="where it echoes, or answers [/]")
    parser.add_argument("--connections", type=int, default=10_000, help="how many [10000]")
    parser.add_argument("--max-bytes", type=int, help="resident bytes per connection, at most")
    options = parser.parse_args()
    if not 1 <= options.connections <= 250 * PER_ADDRESS:
        parser.error("--connections is out of range")
    started = time.monotonic()
    try:
        largest = measure(options)
    except (Failure, OSError) as error:
        print(f"idle: FAILED: {error}")
        return 1
    bad = options.max_bytes is not None and largest > options.max_bytes
    verdict = f"FAILED: more than {options.max_bytes} bytes" if bad else "no failures"
    print(f"idle: {options.connections} connections, {verdict}, {time.monotonic() - started:.1f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
