"""The network at its worst: whatever comes back instead of a reply, no row is taken for done that is not, no change is
made twice, and resume finishes the job. Each case says its outcome: cured, in doubt, rejected, or the run stopped."""
import os
import re
import threading
import time
import unittest

from hostile import Gateway, OddSystem
from support import E2E, muster, onboarding, start, wait_until
from test_tls import Authority, openssl

HTML = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
QUICK = ["--max-attempts", "2"]


def reply(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class HostileCase(E2E):
    tenant_size = {"users": 250, "tokens": 250, "devices": 60}

    def setUp(self):
        super().setUp()
        self.behind = self.serve()
        everything = onboarding(self.tenant)
        self._tokens = iter([r for r in everything if r["operation"] != "enable-ds100"])
        self._devices = iter([r for r in everything if r["operation"] == "enable-ds100"])
        self._lock = threading.Lock()

    def gateway(self, script=None, **options):
        made = Gateway(self.tenant, self.behind, script, **options)
        self.addCleanup(made.stop)
        return made

    def small_job(self, name="job.csv", tokens=4, devices=1):
        """Rows of tokens and devices that no other job names."""
        with self._lock:
            rows = [next(self._tokens) for _ in range(2 * tokens)] + [next(self._devices) for _ in range(devices)]
        return self.job(rows, name), rows

    def resumes(self, gateway, job, rows, *flags):
        """With the service well again resume finishes the job; every change was made once."""
        gateway.script = None
        told = self.all_done(muster("resume", self.journal_of(job), *flags), len(rows))
        self.changed_once(self.journal_of(job), rows)
        return told


class Replies(HostileCase):
    """Every reply is bad, for operations and look-ups alike, whether the request was carried out or not."""

    def bad_replies(self):
        def half(request, good):
            request.send(good[:-20])
            request.close()

        def nothing(request, good):
            request.close()

        def status_line(request, good):
            request.send(good[:12])
            request.close()

        def reset(request, good):
            request.send(good[:30])
            request.reset()

        def half_closed(request, good):
            request.send(good[:40])
            request.half_close()
            request.wait_for_end(2)
            request.close()

        def garbage(request, good):
            request.send(os.urandom(300) + b"\r\n\r\n")

        def not_json(request, good):
            request.send(reply(200, HTML, "Content-Type: text/html"))

        def bad_gateway(request, good):
            request.send(reply(502, HTML, "Content-Type: text/html"))

        def no_content(request, good):
            request.send(reply(204))

        def drip(request, good):
            for n in range(60):
                request.send(good[n:n + 1])
                threading.Event().wait(0.02)
            request.close()

        def silence(request, good):
            request.wait_for_end(3)

        def endless_body(request, good):
            request.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                request.send(b"x" * 65536)

        def endless_chunk_extension(request, good):
            request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=")
            while True:
                request.send(b"x" * 65536)

        def endless_interim(request, good):
            while True:
                request.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)

        def large_header(request, good):
            request.send(good.replace(b"\r\n", b"\r\nX-Large: " + b"x" * (1 << 20) + b"\r\n", 1))

        def no_tls(request, good):
            request.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            request.close()

        def alert(request, good):
            request.send_raw(b"\x15\x03\x03\x00\x02\x02\x50")
            request.close()

        def another_token(request, good):
            request.send(re.sub(rb'SerialNumber":"...', b'SerialNumber":"999', good))

        return [half, nothing, status_line, reset, half_closed, garbage, not_json, bad_gateway, no_content, drip, silence,
                endless_body, endless_chunk_extension, endless_interim, large_header, no_tls, alert, another_token]

    @staticmethod
    def another_user(request, good):
        request.send(re.sub(rb'"userId":"[0-9a-f]{8}', b'"userId":"00000000', good))

    def test_replies_that_are_never_good_leave_rows_in_doubt_until_resume(self):
        def work(bad):
            job, rows = self.small_job(f"{bad.__name__}.csv", tokens=2)
            gateway = self.gateway(lambda request: bad(request, request.pass_on()))
            done = self.exits(1, self.run_job(job, gateway.url, *QUICK, "--request-timeout", "300ms", timeout=20))
            told = self.summed_up(done, len(rows))["outcomes"]
            self.assertEqual((told["inDoubt"], told["blocked"]), (3, 2), str(done))
            self.assertIn(": inDoubt: ", done.err)
            self.resumes(gateway, job, rows, "--request-timeout", "20s")
        self.side_by_side(work, *[(bad,) for bad in self.bad_replies()])

    def test_one_bad_reply_a_row_is_cured_within_the_run(self):
        def work(bad, applied):
            seen, lock = set(), threading.Lock()

            def script(request):
                with lock:
                    first = (request.path, request.body) not in seen
                    seen.add((request.path, request.body))
                if not first or request.lookup:
                    request.send(request.pass_on())
                else:
                    bad(request, request.pass_on() if applied else self.good_reply(request))
            job, rows = self.small_job(f"{bad.__name__}{applied}.csv", tokens=1, devices=0)
            self.all_done(self.run_job(job, self.gateway(script).url, "--request-timeout", "400ms", timeout=20), len(rows))
            self.changed_once(self.journal_of(job), rows)
        self.side_by_side(work, *[(bad, applied) for bad in [*self.bad_replies(), self.another_user]
                                  for applied in (True, False)])

    @staticmethod
    def good_reply(request):
        """What the tenant would say, had it been asked."""
        body = (b'{"userId":"' + request.path.split("/")[-3].encode() + b'","tokenSerialNumber":"000000000000",'
                b'"tokenState":"Activated","tokenStatus":"Enabled","note":"' + b"x" * 60 + b'"}')
        return reply(200, body)


class Statuses(HostileCase):
    def every(self, status, body=b"", *headers):
        return self.gateway(lambda request: request.send(reply(status, body, *headers)))

    def test_statuses_that_no_row_can_cure_stop_the_run_with_every_row_pending_and_resume_finishes_it(self):
        def work(status, headers, words):
            job, rows = self.small_job(f"{status}.csv")
            gateway = self.every(status, HTML, *headers)
            done = self.exits(4, self.run_job(job, gateway.url))
            self.assertEqual(self.summed_up(done, len(rows))["outcomes"]["pending"], len(rows))
            for word in words:
                self.assertIn(word, done.err)
            self.resumes(gateway, job, rows)
        self.side_by_side(work, (401, ["WWW-Authenticate: Bearer"], ["401", "key"]), (403, [], ["403", "key", "clock"]),
                          (407, ["Proxy-Authenticate: Basic"], ["407", "--base-url"]),
                          (300, [], ["300", "--base-url"]), (301, ["Location: https://a.example/x"], ["301", "a.example"]),
                          (302, ["Location: /login"], ["302", "/login"]), (303, ["Location: /login"], ["303", "/login"]),
                          (307, ["Location: https://a.example/x"], ["307", "a.example"]), (308, [], ["308", "--base-url"]))

    def test_a_key_refused_midway_leaves_what_was_done_done_and_the_rest_pending(self):
        def work(status):
            job, rows = self.small_job(f"{status}.csv", tokens=8)
            gateway = self.gateway(lambda request: request.send(request.pass_on() if request.number <= 5 else reply(status)))
            done = self.exits(4, self.run_job(job, gateway.url, "--concurrency", "2"))
            told = self.summed_up(done, len(rows))["outcomes"]
            self.assertEqual((told["applied"], told["pending"]), (5, len(rows) - 5))
            self.resumes(gateway, job, rows)
        self.side_by_side(work, (401,), (403,))

    def test_a_bearer_token_that_is_refused_is_replaced_once_and_costs_no_row(self):
        def work(status):
            bearers, lock = [], threading.Lock()

            def script(request):
                bearer = next(line for line in request.head.split(b"\r\n") if line.startswith(b"Authorization"))
                with lock:
                    if bearer not in bearers:
                        bearers.append(bearer)
                request.send(reply(status) if bearer == bearers[0] else request.pass_on())
            job, rows = self.small_job(f"{status}.csv")
            self.all_done(self.run_job(job, self.gateway(script).url), len(rows))
            self.assertEqual(len(bearers), 2)
            self.changed_once(self.journal_of(job), rows)
        self.side_by_side(work, (401,), (403,))

    def test_statuses_that_are_for_good_reject_the_row_and_it_can_be_run_again(self):
        def work(status):
            job, rows = self.small_job(f"{status}.csv", tokens=2, devices=0)
            gateway = self.gateway(lambda request: request.send(
                reply(status, HTML) if request.path.endswith("/assign") else request.pass_on()))
            done = self.exits(1, self.run_job(job, gateway.url))
            told = self.summed_up(done, len(rows))["outcomes"]
            self.assertEqual((told["rejected"], told["blocked"]), (2, 2))
            self.assertIn("Bad Gateway", done.err, "what came is told")
            gateway.script = None
            again = self.dir / f"again{status}.csv"
            self.succeeds(muster("report", self.journal_of(job), "--only", "rejected,blocked", "--as-job", "-o", again))
            self.all_done(self.run_job(again, gateway.url), len(rows))
            self.changed_once(self.journal_of(again), rows)
        self.side_by_side(work, *[(status,) for status in (400, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431, 451)])

    def test_statuses_that_pass_are_retried_and_nothing_is_done_twice(self):
        def work(status):
            seen, lock = set(), threading.Lock()

            def script(request):
                with lock:
                    first = request.path not in seen
                    seen.add(request.path)
                if first and status != 429:
                    request.pass_on()  # carried out, and denied
                request.send(reply(status, HTML) if first else request.pass_on())
            job, rows = self.small_job(f"{status}.csv", tokens=2, devices=0)
            self.all_done(self.run_job(job, self.gateway(script).url), len(rows))
            self.changed_once(self.journal_of(job), rows)
        self.side_by_side(work, *[(status,) for status in (201, 202, 204, 205, 408, 425, 429, 500, 501, 502, 503, 504, 520, 599)])


class Connections(HostileCase):
    def test_a_service_that_closes_after_every_reply_announced_or_not_costs_no_row(self):
        def announced(request):
            head, _, body = request.pass_on().partition(b"\r\n\r\n")
            request.send(head + b"\r\nConnection: close\r\n\r\n" + body)
            request.close()

        def unannounced(request):
            request.send(request.pass_on())
            request.close()

        def http_1_0(request):
            request.send(request.pass_on().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
            request.close()

        def to_the_end(request):
            head, _, body = request.pass_on().partition(b"\r\n\r\n")
            request.send(b"\r\n".join(line for line in head.split(b"\r\n") if b"Content-Length" not in line) + b"\r\n\r\n" + body)
            request.finish()

        def half_closing(request):
            request.send(request.pass_on())
            request.half_close()
            request.wait_for_end(2)
            request.close()

        def work(script):
            job, rows = self.small_job(f"{script.__name__}.csv", tokens=8)
            gateway = self.gateway(script)
            told = self.all_done(self.run_job(job, gateway.url), len(rows))
            # A close that nobody announced may come just when the next request leaves: that costs an attempt, but it
            # does not happen for ever.
            self.assertLess(told["retries"], len(rows))
            self.assertGreaterEqual(gateway.connections, len(rows))
            self.changed_once(self.journal_of(job), rows)
        self.side_by_side(work, (announced,), (unannounced,), (http_1_0,), (to_the_end,), (half_closing,))

    def test_replies_in_odd_but_lawful_forms_are_read(self):
        def chunked(request):
            head, _, body = request.pass_on().partition(b"\r\n\r\n")
            head = b"\r\n".join(line for line in head.split(b"\r\n") if b"Content-Length" not in line)
            request.send(head + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
            for n in range(0, len(body), 7):
                request.send(b"%x;a=b\r\n%s\r\n" % (len(body[n:n + 7]), body[n:n + 7]))
            request.send(b"0\r\nX-Trailer: y\r\n\r\n")

        def interim(request):
            request.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + request.pass_on())

        def byte_by_byte(request):
            for byte in request.pass_on():
                request.send(bytes([byte]))

        def work(script):
            job, rows = self.small_job(f"{script.__name__}.csv")
            told = self.all_done(self.run_job(job, self.gateway(script).url), len(rows))
            self.assertEqual((told["retries"], told["requests"]), (0, len(rows)))
            self.changed_once(self.journal_of(job), rows)
        self.side_by_side(work, (chunked,), (interim,), (byte_by_byte,))

    def test_a_connection_whose_replies_are_one_behind_is_left_and_costs_no_row(self):
        def script(request):
            connection = request._connection
            good = request.pass_on()
            if getattr(connection, "behind", None) is None:
                connection.behind = Replies.good_reply(request) if gateway.connections <= 2 else b""
            if connection.behind:
                good, connection.behind = connection.behind, good
            request.send(good)
        gateway = self.gateway(script)
        job, rows = self.small_job(tokens=10)
        told = self.all_done(self.run_job(job, gateway.url, "--concurrency", "2", "--max-attempts", "3"), len(rows))
        self.assertLess(told["retries"], 10)
        self.changed_once(self.journal_of(job), rows)

    def test_no_more_connections_are_opened_than_requests_may_be_in_flight(self):
        seen = []

        def script(request):
            if not seen:
                time.sleep(0.3)
                seen.append(gateway.connections)
            request.send(request.pass_on())
        gateway = self.gateway(script)
        job, rows = self.small_job(tokens=40)
        self.all_done(self.run_job(job, gateway.url, "--concurrency", "32"), len(rows))
        self.assertLess(seen[0], 9, "a run begins with four requests at once")

    def test_a_certificate_of_the_same_authority_may_change_midway(self):
        authority = Authority(self.dir / "authority")
        pairs = []
        for name in ("one", "two"):
            pairs.append((authority.dir / f"{name}.pem", authority.dir / f"{name}.key"))
            authority.issue(*pairs[-1], "IP:127.0.0.1")
        gateway = self.gateway(certificate=pairs[0])
        done = self.swapped(gateway, pairs[1], authority.ca)
        self.all_done(done, len(self.rows))
        self.changed_once(self.journal_of(self.jobfile), self.rows)

    def test_a_certificate_that_nobody_vouches_for_midway_stops_the_run_and_resume_finishes_it(self):
        gateway = self.gateway()
        own = self.dir / "own.pem", self.dir / "own.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", own[1],
                "-out", own[0], "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", 2)
        done = self.exits(4, self.swapped(gateway, own, self.tenant.ca))
        told = self.summed_up(done, len(self.rows))["outcomes"]
        self.assertGreater(told["pending"], 0)
        self.assertEqual(told["rejected"] + told["exhausted"], 0)
        self.assertIn("self-signed", done.err)
        gateway.use(self.tenant.directory / "server.pem", self.tenant.directory / "server.key")
        self.resumes(gateway, self.jobfile, self.rows)

    def swapped(self, gateway, pair, ca):
        """Runs a job in whose midst the server gets another certificate and drops its connections."""
        def script(request):
            good = request.pass_on()
            if request.number == 15:
                gateway.use(*pair)
                gateway.drop_all()
            request.send(good)
        gateway.script = script
        self.jobfile, self.rows = self.small_job(tokens=30)
        return muster("run", self.jobfile, "--credentials", self.tenant.key, "--base-url", gateway.url, "--ca-file", ca,
                      "--output", "json", "--concurrency", "4", "--max-rate", "300/s")

    def test_a_server_that_is_replaced_again_and_again_midway_costs_no_row(self):
        gateway = self.gateway(lambda request: (request.send(request.pass_on()),
                                                gateway.drop_all() if request.number % 9 == 0 else None))
        job, rows = self.small_job(tokens=40)
        self.all_done(self.run_job(job, gateway.url), len(rows))
        self.changed_once(self.journal_of(job), rows)


class Names(HostileCase):
    """What the name service says, and what it says next."""

    def setUp(self):
        super().setUp()
        authority = Authority(self.dir / "authority")
        self.pair = authority.dir / "server.pem", authority.dir / "server.key"
        authority.issue(*self.pair, "DNS:service.test,IP:127.0.0.1,IP:::1")
        self.ca = authority.ca
        self.system = OddSystem(self.dir)
        self.addCleanup(self.system.close)

    def named(self, job, port, *flags, host="service.test"):
        return ["run", job, "--credentials", self.tenant.key, "--ca-file", self.ca, "--base-url", f"https://{host}:{port}",
                "--output", "json", *flags]

    def test_a_name_that_fails_leaves_every_row_pending_and_resume_finishes_once_it_is_known(self):
        gateway = self.gateway(certificate=self.pair)
        job, rows = self.small_job()
        done = self.exits(4, muster(*self.named(job, gateway.port, *QUICK), environment=self.system.environment))
        self.assertEqual(self.summed_up(done, len(rows))["outcomes"]["pending"], len(rows))
        self.assertIn("the name of service.test:", done.err)
        self.system.name_leads_to("127.0.0.1")
        self.all_done(muster("resume", self.journal_of(job), environment=self.system.environment), len(rows))
        self.changed_once(self.journal_of(job), rows)

    def closing(self, gateway, at, then):
        """Closes after every reply, so that each request needs the name; at request `at` something happens."""
        def script(request):
            if request.number == at:
                then()
            head, _, body = request.pass_on().partition(b"\r\n\r\n")
            request.send(head + b"\r\nConnection: close\r\n\r\n" + body)
            request.close()
        gateway.script = script

    def test_a_name_that_fails_midway_is_waited_for(self):
        gateway = self.gateway(certificate=self.pair)
        self.closing(gateway, 5, lambda: self.system.name_leads_to())
        self.system.name_leads_to("127.0.0.1")
        job, rows = self.small_job()
        run = start(*self.named(job, gateway.port, "--concurrency", "2"), environment=self.system.environment)
        wait_until(lambda: "the name of service.test" in run.err_so_far() or not run.runs(), "word of the outage")
        self.system.name_leads_to("127.0.0.1")
        self.all_done(run.wait(), len(rows))
        self.changed_once(self.journal_of(job), rows)

    def test_a_name_that_leads_elsewhere_midway_is_followed(self):
        gateway = self.gateway(certificate=self.pair)
        other = self.gateway(certificate=self.pair, address="127.0.0.2", port=gateway.port)

        def moves():
            self.system.name_leads_to("127.0.0.2")
            threading.Thread(target=gateway.stop).start()
        self.closing(gateway, 5, moves)
        self.system.name_leads_to("127.0.0.1")
        job, rows = self.small_job()
        self.all_done(muster(*self.named(job, gateway.port, "--concurrency", "2"), environment=self.system.environment), len(rows))
        self.assertGreater(other.requests, 0)
        self.changed_once(self.journal_of(job), rows)

    def test_addresses_that_refuse_are_passed_over(self):
        gateway = self.gateway(certificate=self.pair)
        self.system.name_leads_to("::1", "127.0.0.9", "127.0.0.1")
        job, rows = self.small_job()
        told = self.all_done(muster(*self.named(job, gateway.port), environment=self.system.environment), len(rows))
        self.assertEqual(told["retries"], 0)
        self.changed_once(self.journal_of(job), rows)

    def test_a_service_with_ipv6_alone_is_reached_by_name_and_by_address(self):
        try:
            gateway = self.gateway(certificate=self.pair, address="::1")
        except OSError:
            self.skipTest("this machine has no IPv6")
        self.system.name_leads_to("::1")
        for n, host in enumerate(("service.test", "[::1]")):
            with self.subTest(host):
                job, rows = self.small_job(f"{n}.csv")
                self.all_done(muster(*self.named(job, gateway.port, host=host), environment=self.system.environment), len(rows))
                self.changed_once(self.journal_of(job), rows)


class Clock(HostileCase):
    """The clock of the day jumps by hours while the run goes on."""

    def setUp(self):
        super().setUp()
        self.system = OddSystem(self.dir)
        self.addCleanup(self.system.close)
        self.jobfile, self.rows = self.small_job(tokens=15, devices=0)

    def running(self, script, *flags):
        gateway = self.gateway(script)
        return gateway, muster("run", self.jobfile, *self.access(gateway.url), "--output", "json", "--concurrency", "2", *flags,
                               environment=self.system.environment)

    def test_a_clock_that_goes_wrong_midway_stops_the_run_for_its_bearer_tokens_and_resume_finishes_it(self):
        for n, hours in enumerate((3, -3)):
            with self.subTest(hours=hours):
                self.system.clock_off_by()
                self.jobfile, self.rows = self.small_job(f"{hours}.csv", tokens=8)

                def script(request, hours=hours):
                    good = request.pass_on()
                    if request.number == 6:
                        self.system.clock_off_by(hours)
                    request.send(good)
                gateway, done = self.running(script)
                self.exits(4, done)
                told = self.summed_up(done, len(self.rows))
                self.assertGreater(told["outcomes"]["pending"], 0)
                self.assertLess(told["seconds"], 20, "time passed is measured by another clock")
                self.assertIn("clock", done.err)
                self.system.clock_off_by()
                self.resumes(gateway, self.jobfile, self.rows)

    def test_a_clock_that_is_put_right_midway_costs_no_row(self):
        for n, minutes in enumerate((20, -20)):
            with self.subTest(minutes=minutes):
                self.system.clock_off_by()
                self.jobfile, self.rows = self.small_job(f"{minutes}.csv", tokens=8)

                def script(request, minutes=minutes):
                    # Off for a moment between two requests, and back.
                    self.system.clock_off_by(minutes / 60 if request.number % 5 == 4 and minutes > 0 else 0)
                    request.send(request.pass_on())
                gateway, done = self.running(script)
                self.assertLess(self.all_done(done, len(self.rows))["seconds"], 20)
                self.changed_once(self.journal_of(self.jobfile), self.rows)

    def test_a_retry_after_date_is_judged_by_the_services_clock_however_wrong_it_is(self):
        for n, (date, until) in enumerate((("Mon, 01 Jan 2035 10:00:00 GMT", "Mon, 01 Jan 2035 10:00:01 GMT"),
                                           ("Mon, 01 Jan 2001 10:00:00 GMT", "Mon, 01 Jan 2001 10:00:01 GMT"))):
            with self.subTest(date):
                self.jobfile, self.rows = self.small_job(f"{n}.csv", tokens=3, devices=0)

                def script(request, date=date, until=until):
                    if request.number == 2:
                        request.send(reply(429, b"", f"Date: {date}", f"Retry-After: {until}"))
                    else:
                        request.send(request.pass_on())
                gateway, done = self.running(script)
                told = self.all_done(done, len(self.rows))
                self.assertEqual(told["throttled"], 1)
                self.assertGreater(told["seconds"], 0.9)
                self.assertLess(told["seconds"], 8)


if __name__ == "__main__":
    unittest.main()
