# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a real server, on loopback, which notes what goes by and misbehaves as it is told.

    with Proxy(port) as proxy:
        proxy.fault, proxy.where = FAULTS["hang"], "PUT .*/acl"

A fault is a function that gets an Exchange in the place of the server's own answer. HangUp ends the connection.
"""

import contextlib
import http.client
import itertools
import json
import os
import re
import socket
import struct
import threading
import time

PATIENCE_SEC = 40  # for a client that should have given up long before


class HangUp(Exception):
    pass


class Exchange:
    """A request, and the ways to answer it."""

    def __init__(self, proxy, connection, method, path, headers, body):
        self.proxy, self.connection = proxy, connection
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.status = 0

    def forward(self):
        """Has the real server carry it out: its status, headers and body."""
        server = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=PATIENCE_SEC)
        server.request(self.method, self.path, self.body or None, self.headers)
        answer = server.getresponse()
        body = answer.read()
        headers = {name: value for name, value in answer.getheaders()
                   if name.lower() not in ("connection", "transfer-encoding", "content-length", "keep-alive")}
        server.close()
        if "X-Subject-Token" in headers:
            self.proxy.tokens.append(headers["X-Subject-Token"])
        return answer.status, headers, body

    def send(self, data):
        self.connection.sendall(data)

    def answer(self, status, headers, body):
        self.status = status
        self.send(self.packed(status, headers, body))

    @staticmethod
    def packed(status, headers, body):
        lines = [f"HTTP/1.1 {status} Of The Proxy", *(f"{name}: {value}" for name, value in headers.items())]
        if status != 204:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def hang_up(self, reset=False):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp

    def wait_for_the_end(self):
        """Until the client goes."""
        self.connection.settimeout(PATIENCE_SEC)
        while self.connection.recv(4096):
            pass
        raise HangUp


def plain(exchange):
    exchange.answer(*exchange.forward())


def status(code, text="", kind="text/html", **headers):
    """A fault: this answer, and nothing is carried out."""
    headers = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return lambda exchange: exchange.answer(code, headers, text.encode())


def page(title):
    return f"<html><head><title>{title}</title></head><body>no JSON</body></html>"


def hang(exchange):
    exchange.wait_for_the_end()


def drop(exchange):
    exchange.hang_up()


def lost(exchange):
    """It is carried out, but nobody hears of it."""
    exchange.forward()
    exchange.hang_up()


def late(bodies):
    """Of two stores the first is answered by a gateway that waits no longer, and is carried out after the second."""
    first = []

    def fault(exchange):
        bodies.append(exchange.body)
        if not first:
            first.append(exchange)
            status(504, page("Gateway Timeout"))(exchange)
            return
        answer = exchange.forward()
        first[0].forward()
        exchange.answer(*answer)
    return fault


def pages_of(n):
    """No page has more than `n`, whatever is asked for: max_limit_paging."""
    def fault(exchange):
        exchange.path = re.sub(r"limit=\d+", f"limit={n}", exchange.path)
        plain(exchange)
    return fault


def pending(seconds):
    """No order is done before so many seconds have passed since it was looked at first, nor is its key there."""
    seen = {}

    def fault(exchange):
        if "/secrets" in exchange.path:
            status(200, '{"secrets":[],"total":0}', "application/json")(exchange)
            return
        code, headers, body = exchange.forward()
        if time.monotonic() - seen.setdefault(exchange.path, time.monotonic()) < seconds:
            body = json.dumps({**json.loads(body), "status": "PENDING"}).encode()
        exchange.answer(code, headers, body)
    return fault


def break_off(exchange, in_body, reset):
    """In the middle of the true answer's body, if it has one, or of its headers."""
    code, headers, body = exchange.forward()
    rest = len(body) // 2 if body and in_body else len(body) + 20
    exchange.send(exchange.packed(code, headers, body)[:-rest])
    exchange.hang_up(reset)


def drop_in_the_body(exchange):
    break_off(exchange, in_body=True, reset=True)


def truncated(exchange):
    break_off(exchange, in_body=True, reset=False)


def drop_in_the_headers(exchange):
    break_off(exchange, in_body=False, reset=True)


def truncated_in_the_headers(exchange):
    break_off(exchange, in_body=False, reset=False)


def cut(exchange):
    """Half of the true answer, as if that were all."""
    code, headers, body = exchange.forward()
    exchange.answer(code, headers, body[:len(body) // 2])


def garbage(exchange):
    exchange.send(os.urandom(64).replace(b"H", b"h") + b"\r\n\r\n")
    exchange.hang_up()


def huge(exchange):
    """More than anybody asked for."""
    exchange.answer(200 if exchange.method == "GET" else 201, {"Content-Type": "application/octet-stream"},
                    b" " * (8 << 20))


def endless(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in itertools.repeat(None, PATIENCE_SEC * 4):
        exchange.send(b"1\r\n \r\n")
        time.sleep(0.25)
    exchange.hang_up()


class Proxy:
    """`upstream`: the port of the real server. `tls`: an ssl.SSLContext. `listening` False: nothing listens
    at its port; None: something does, but takes no connection."""

    def __init__(self, upstream, tls=None, listening=True, host="127.0.0.1"):
        self.upstream, self.tls, self.host = upstream, tls, host
        self.fault, self.where = plain, "."
        self.lock = threading.Lock()
        self.requests = []  # METHOD PATH STATUS, as the servers note them
        self.tokens = []  # that went by in answers
        self.connections = 0
        self.on_connection = lambda: None
        self.fillers = []
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        if listening is None:
            self.fill()
        elif listening:
            self.socket.listen(64)
            threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def fill(self):
        """A backlog that is full: whoever else connects hears nothing."""
        self.socket.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in (self.socket, *self.fillers):
            with contextlib.suppress(OSError):  # wakes accept(), if it listens
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection):
        with self.lock:
            self.connections += 1
            self.on_connection()
        # the client may end, or be ended, at any moment
        with contextlib.suppress(OSError, HangUp, http.client.HTTPException), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                stack.callback(connection.close)
            reader = stack.enter_context(connection.makefile("rb"))
            while line := reader.readline():
                self.obey(connection, reader, line)

    def obey(self, connection, reader, line):
        method, path, _ = line.decode().split()
        headers = dict(http.client.parse_headers(reader).items())
        body = reader.read(int(headers.get("Content-Length", 0)))
        exchange = Exchange(self, connection, method, path, headers, body)
        fault = self.fault if re.search(self.where, f"{method} {path}") else plain
        try:
            fault(exchange)
        finally:
            with self.lock:
                self.requests.append(f"{method} {path} {exchange.status}")
