"""A gateway in front of the sandbox tenant that answers as a test's script says, and a system whose clock and name
service a test sets. What is applied is for the tenant's database to tell: the gateway passes requests on unchanged.
"""
import contextlib
import http.client
import mmap
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import unittest

from support import clean_environment

HERE = pathlib.Path(__file__).resolve().parent


class Request:
    """One request at the gateway. What the script does not send is not answered: the connection is closed."""

    def __init__(self, connection, number, head, body):
        self._connection = connection
        self.number, self.head, self.body = number, head, body
        self.on_connection = connection.served
        self.method, self.path = head.decode().split(" ")[:2]

    @property
    def lookup(self):
        return self.path.endswith("/lookup")

    def pass_on(self):
        """The tenant's reply, whole, as bytes."""
        return self._connection.pass_on(self)

    def send(self, bytes_):
        self._connection.tls.sendall(bytes_)
        self._connection.answered = True

    def send_raw(self, bytes_):
        """Bytes that are no TLS."""
        os.write(self._connection.tls.fileno(), bytes_)

    def half_close(self):
        self._connection.tls.fileno()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._connection.tls, socket.SHUT_WR)

    def wait_for_end(self, seconds):
        """Until the client has closed."""
        self._connection.tls.settimeout(seconds)
        with contextlib.suppress(OSError):
            while self._connection.tls.recv(4096):
                pass

    def reset(self):
        self._connection.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.ending = True

    def close(self):
        """Without a word in TLS, as most servers do."""
        self._connection.ending = True

    def finish(self):
        """With a close_notify: nothing was cut off."""
        self._connection.tls.settimeout(5)
        with contextlib.suppress(OSError):
            self._connection.tls.unwrap()
        self._connection.ending = True


class _Connection:
    def __init__(self, gateway, tls):
        self.gateway, self.tls = gateway, tls
        self.served, self.ending, self.answered = 0, False, False
        self.upstream = None
        self.kept = b""

    def read_request(self):
        while b"\r\n\r\n" not in self.kept:
            got = self.tls.recv(65536)
            if not got:
                return None
            self.kept += got
        head, _, rest = self.kept.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(rest) < length:
            got = self.tls.recv(65536)
            if not got:
                return None
            rest += got
        self.kept = rest[length:]
        return head, rest[:length]

    def pass_on(self, request):
        if self.upstream is None:
            self.upstream = http.client.HTTPSConnection("127.0.0.1", self.gateway.behind.port, timeout=20,
                                                        context=self.gateway.trust)
        headers = dict(line.split(": ", 1) for line in request.head.decode().split("\r\n")[1:])
        headers.pop("Host", None)
        self.upstream.request(request.method, request.path, request.body, headers)
        reply = self.upstream.getresponse()
        body = reply.read()
        return (f"HTTP/1.1 {reply.status} {reply.reason}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def serve(self):
        while not self.ending:
            got = self.read_request()
            if got is None:
                return
            self.answered = False
            self.served += 1
            request = Request(self, self.gateway.count(), *got)
            script = self.gateway.script
            if script is None:
                request.send(request.pass_on())
            else:
                script(request)
            if not self.answered:
                return


class Gateway:
    """`script(request)` is called in a thread for each connection; none: everything is passed on. It may be replaced
    at any time, as may the certificate."""

    def __init__(self, tenant, behind, script=None, address="127.0.0.1", port=0, certificate=None):
        self.behind, self.script = behind, script
        self.trust = ssl.create_default_context(cafile=str(tenant.ca))
        self.requests = self.connections = 0
        self._lock = threading.Lock()
        self._open = set()
        self.use(*(certificate or (tenant.directory / "server.pem", tenant.directory / "server.key")))
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=256)
        self.port = self._listener.getsockname()[1]
        self.url = f"https://{'[' + address + ']' if ':' in address else address}:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def use(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._context = context

    def count(self):
        with self._lock:
            self.requests += 1
            return self.requests

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, ssl.SSLError, http.client.HTTPException):
            with self._context.wrap_socket(plain, server_side=True) as tls:
                with self._lock:
                    self._open.add(tls)
                connection = _Connection(self, tls)
                try:
                    connection.serve()
                finally:
                    with self._lock:
                        self._open.discard(tls)
                    if connection.upstream:
                        connection.upstream.close()

    def drop_all(self):
        with self._lock:
            for tls in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(tls, socket.SHUT_RDWR)

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.drop_all()


_library = None


def _odd_library():
    """The shim, compiled once; None where there is no compiler or muster would not take it."""
    global _library
    if _library is None:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("g++")
        if compiler is None or "ASAN_OPTIONS" in os.environ:
            raise unittest.SkipTest("needs a C compiler, and a muster without sanitizers")
        kept = tempfile.TemporaryDirectory(prefix="muster-e2e-")
        made = pathlib.Path(kept.name) / "odd_system.so"
        subprocess.run([compiler, "-x", "c", "-O1", "-shared", "-fPIC", "-o", made, HERE / "odd_system.c", "-ldl"],
                       check=True, stdin=subprocess.DEVNULL, timeout=60)
        _library = (kept, made)
    return _library[1]


class OddSystem:
    """The clock and the name service of the musters that are started with its environment."""

    def __init__(self, directory):
        path = pathlib.Path(directory) / "odd"
        path.write_bytes(bytes(512))
        with open(path, "r+b") as file:
            self._state = mmap.mmap(file.fileno(), 512)
        self.environment = clean_environment(LD_PRELOAD=str(_odd_library()), ODD_SYSTEM=str(path))

    def close(self):
        self._state.close()

    def clock_off_by(self, hours=0.0):
        self._state[:8] = struct.pack("=q", int(hours * 3600))

    def name_leads_to(self, *addresses):
        self._state[8:] = ",".join(addresses).encode().ljust(504, b"\0")
