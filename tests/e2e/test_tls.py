"""Muster talks only to a server that proves to be the right one, and waits for one that is away."""
import contextlib
import http.server
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import unittest

from support import E2E, LOCAL, muster, onboarding, unused_port, wait_until

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        self.ca, self.ca_key = self.dir / "own-ca.pem", self.dir / "own-ca.key"
        openssl("req", "-x509", *EC, "-keyout", self.ca_key, "-out", self.ca, "-subj", "/CN=Test CA", "-days", 2)

    def issue(self, certificate, key, names, days=2):
        request, extensions = self.dir / "request.csr", self.dir / "extensions"
        openssl("req", *EC, "-keyout", key, "-out", request, "-subj", "/CN=server")
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-out",
                certificate, "-days", days, "-extfile", extensions)


class TlsCase(E2E):
    tenant_size = {"users": 200, "tokens": 200, "devices": 50}

    def stops_before_anything(self, job, rows, server_url, ca, *words):
        flags = ["--credentials", self.tenant.key, "--base-url", server_url, "--output", "json"]
        done = muster("run", job, *flags, *(["--ca-file", ca] if ca else []), timeout=30)
        told = self.summed_up(self.exits(4, done), len(rows))
        self.assertEqual(told["outcomes"]["pending"], len(rows), str(done))
        for word in words:
            self.assertIn(word, done.err)
        self.nothing_was_sent()
        self.succeeds(muster("verify", self.journal_of(job)))
        return done


class Certificates(TlsCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.dir / "authority")
        self.original = {n: (self.tenant.directory / n).read_bytes() for n in ("server.pem", "server.key")}

    def issue(self, names, days=2):
        self.authority.issue(self.tenant.directory / "server.pem", self.tenant.directory / "server.key", names, days)

    def refuses(self, ca, *words):
        rows = onboarding(self.tenant, tokens=20, devices=5)
        job = self.job(rows)
        with self.tenant.serve() as server:
            self.stops_before_anything(job, rows, server.url, ca, *words)
        for name, content in self.original.items():
            (self.tenant.directory / name).write_bytes(content)
        with self.tenant.serve(port=server.port):
            self.all_done(muster("resume", self.journal_of(job), "--ca-file", self.tenant.ca), len(rows))
        self.onboarded(self.journal_of(job), rows)

    def test_a_certificate_of_an_unknown_authority_is_refused_and_says_so(self):
        self.refuses(None, "unknown CA", "--ca-file")

    def test_a_certificate_of_another_authority_than_the_one_named_is_refused(self):
        self.refuses(self.authority.ca, "unknown CA", "--ca-file")

    def test_an_expired_certificate_is_refused_and_says_so(self):
        self.issue("DNS:localhost,IP:127.0.0.1", days=-1)
        self.refuses(self.authority.ca, "expired")

    def test_a_certificate_for_another_host_is_refused_and_says_so(self):
        self.issue("DNS:acme.access.securid.com,IP:127.0.0.2")
        self.refuses(self.authority.ca, "is not for 127.0.0.1")

    def test_a_self_signed_certificate_is_refused_and_says_so(self):
        openssl("req", "-x509", *EC, "-keyout", self.tenant.directory / "server.key", "-out",
                self.tenant.directory / "server.pem", "-subj", "/CN=localhost", "-days", 2)
        self.refuses(self.authority.ca, "self-signed")

    def test_a_good_certificate_of_ones_own_authority_is_accepted(self):
        self.issue("DNS:localhost")
        rows, server = onboarding(self.tenant, tokens=20, devices=5), self.serve()
        job = self.job(rows)
        done = muster("run", job, "--credentials", self.tenant.key, "--ca-file", self.authority.ca, "--base-url",
                      f"https://localhost:{server.port}", "--output", "json")
        self.all_done(done, len(rows))

    def test_a_ca_file_that_is_missing_or_no_certificate_is_a_usage_error(self):
        rows, server = onboarding(self.tenant, tokens=2, devices=0), self.serve()
        for ca in (self.dir / "missing.pem", self.write("rubbish.pem", "rubbish")):
            with self.subTest(ca.name):
                done = muster("run", self.job(rows), "--credentials", self.tenant.key, "--base-url", server.url, "--ca-file",
                              ca, "--output", "json")
                self.exits(2, done)
                self.assertIn(ca.name, done.err)
        self.nothing_was_sent()


class Address(TlsCase):
    @contextlib.contextmanager
    def serving(self, handler, tls=True):
        """A server of Python's own, with the tenant's certificate."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tenant.directory / "server.pem", self.tenant.directory / "server.key")
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"{LOCAL}:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)

    def answering(self, status, **headers):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PATCH(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        return Handler

    def test_a_server_that_redirects_is_not_followed(self):
        rows = onboarding(self.tenant, tokens=20, devices=5)
        with self.serving(self.answering(302, Location="https://elsewhere.example/")) as url:
            self.stops_before_anything(self.job(rows), rows, url, self.tenant.ca, "302", "elsewhere.example")

    def test_a_server_without_tls_gets_nothing(self):
        rows = onboarding(self.tenant, tokens=20, devices=5)
        with self.serving(self.answering(200), tls=False) as url:
            self.stops_before_anything(self.job(rows), rows, url, self.tenant.ca)

    def test_an_unencrypted_base_url_is_a_usage_error(self):
        rows, server = onboarding(self.tenant, tokens=2, devices=0), self.serve()
        done = self.run_job(self.job(rows), server.url.replace("https", "http"))
        self.exits(2, done)
        self.assertIn("https", done.err)
        self.nothing_was_sent()


class Away(TlsCase):
    def test_a_server_that_is_down_leaves_every_row_pending_and_resume_finishes_once_it_is_up(self):
        rows, port = onboarding(self.tenant), unused_port()
        job = self.job(rows)
        self.stops_before_anything(job, rows, f"{LOCAL}:{port}", self.tenant.ca, str(port))
        again = self.exits(4, muster("resume", self.journal_of(job)))
        self.assertEqual(again.json["outcomes"]["pending"], len(rows))
        with self.tenant.serve(port=port):
            self.all_done(muster("resume", self.journal_of(job)), len(rows))
        self.onboarded(self.journal_of(job), rows)

    def test_a_name_that_does_not_resolve_leaves_every_row_pending(self):
        rows = onboarding(self.tenant, tokens=5, devices=0)
        self.stops_before_anything(self.job(rows), rows, "https://no-such-host.invalid", self.tenant.ca, "no-such-host.invalid")

    def test_a_server_that_accepts_and_says_nothing_is_given_up(self):
        rows = onboarding(self.tenant, tokens=5, devices=0)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            done = self.run_job(self.job(rows), f"{LOCAL}:{silent.getsockname()[1]}", "--connect-timeout", "300ms",
                                "--max-attempts", "2", timeout=20)
        self.assertEqual(self.summed_up(self.exits(4, done), len(rows))["outcomes"]["pending"], len(rows))

    def restarted(self, number):
        rows = onboarding(self.tenant)
        job = self.job(rows)
        flags = ["--limit", "bucket:150/s:30"]
        first = self.serve(*flags)
        run = self.start_job(job, first, "--max-attempts", "10")
        wait_until(lambda: self.tenant.handled() >= 100, "100 requests handled")
        first.stop(number)
        wait_until(lambda: "connect" in run.err_so_far() or not run.runs(), "word of the outage")
        with self.tenant.serve(*flags, port=first.port):
            told = self.all_done(run.wait(60), len(rows))
        self.assertLess(told["seconds"], 15, "goes on soon after the server is back")
        self.onboarded(self.journal_of(job), rows)

    def test_a_server_that_is_restarted_midway_costs_no_row(self):
        self.restarted(signal.SIGTERM)

    def test_a_server_that_is_killed_and_restarted_midway_costs_no_row(self):
        self.restarted(signal.SIGKILL)

    def test_a_server_that_stays_away_midway_stops_the_run_and_resume_finishes_it(self):
        rows = onboarding(self.tenant)
        job = self.job(rows)
        with self.tenant.serve("--limit", "bucket:150/s:30") as server:
            run = self.start_job(job, server, "--outage-timeout", "1s")
            wait_until(lambda: self.tenant.handled() >= 100, "100 requests handled")
        told = self.summed_up(self.exits(4, run.wait(30)), len(rows))
        self.assertGreater(told["outcomes"]["pending"], 0)
        self.assertEqual(told["outcomes"]["exhausted"], 0)
        with self.tenant.serve(port=server.port):
            self.all_done(muster("resume", self.journal_of(job)), len(rows))
        self.onboarded(self.journal_of(job), rows)


if __name__ == "__main__":
    unittest.main()
