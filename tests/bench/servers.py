"""Real servers for the benchmarks, each on a free port of loopback, each stopped by the process that was started."""
import contextlib
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# Written so that LuaJIT compiles it, which it does to a function that is called often and calls nothing that it cannot
# compile: string.match and ngx.req are such. The lighter the server, the more of the time is the clients'.
REPLY = r"""
init_by_lua_block {
    require "resty.core"
    local find, sub, var, header = string.find, string.sub, ngx.var, ngx.header
    local function between(text, before, after)
        local _, last = find(text, before, 1, true)
        if not last then return "" end
        return sub(text, last + 1, (find(text, after, last + 1, true) or 0) - 1)
    end
    function reply_to(asked)
        local body = '{"userId":"' .. between(var.uri, "/users/", "/") ..
            '","tokenSerialNumber":"' .. between(between(asked, '"tokenSerialNumber":', "}"), '"', '"') ..
            '","tokenStatus":"Enabled","tokenStatusChangedBy":"bench@securid.com",' ..
            '"tokenStatusChangedAt":"2021-06-13T04:38:51.961Z"}'
        header["Content-Length"] = #body
        return body
    end
}
"""

ECHO = r"""
default_type application/json;
content_by_lua_block {
    @LATENCY@
    ngx.req.read_body()
    ngx.print(reply_to(ngx.req.get_body_data() or ""))
}
"""

NGINX = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
worker_processes 1;
error_log {dir}/error.log crit;
pid {dir}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    {access_log}
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000000;
    {reply}
    {zone}
    server {{
        listen 127.0.0.1:{port} {tls};
        ssl_certificate {dir}/cert.pem;
        ssl_certificate_key {dir}/key.pem;
        {status}
        location / {{
            {limit}
            {echo}
        }}
    }}
}}
"""

HAPROXY = """
global
    maxconn 2000
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend api
    bind 127.0.0.1:{port} ssl crt {dir}/both.pem
    stick-table type integer size 10 expire 120s store http_req_rate({period})
    http-request track-sc0 int(1)
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {count} }}
    default_backend echo
backend echo
    server nginx 127.0.0.1:{backend}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Bench:
    """A scratch directory with a certificate for 127.0.0.1, and the servers that were started in it."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="muster-bench-"))
        self.processes = []
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.dir / "key.pem", "-out",
             self.dir / "cert.pem"], check=True, capture_output=True)
        (self.dir / "both.pem").write_text((self.dir / "cert.pem").read_text() + (self.dir / "key.pem").read_text())
        self.tenant = self.dir / "tenant"
        subprocess.run([self.build / "muster-tenant", "init", self.tenant, "--users", "4000", "--tokens", "20000"], check=True,
                       capture_output=True)
        self.key = self.tenant / "help-desk.key"

    def close(self):
        for process in list(self.processes):
            self.stop(process)
        shutil.rmtree(self.dir, ignore_errors=True)

    def needs_disk(self):
        """What is to be durable must not lie in memory."""
        kind = subprocess.run(["stat", "--file-system", "--format=%T", self.dir], capture_output=True, text=True, check=True).stdout.strip()
        if kind in ("tmpfs", "ramfs"):
            raise SystemExit(f"{self.dir} is in memory ({kind}): set TMPDIR to a folder on a disk")

    def start(self, command, port):
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return process
            time.sleep(0.05)
        raise RuntimeError(f"{command[0]} does not listen")

    def stop(self, process):
        if process in self.processes:
            self.processes.remove(process)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def nginx(self, rate=None, burst=0, port=None, tls=True, log=None, status=False, latency=None):
        """Echoes every request's user and serial; `rate` a second at most, refused with 429. `status`: counts them, /requests.
        `latency`: seconds before each reply."""
        port = port or free_port()
        home = self.dir / f"nginx{port}"
        home.mkdir(exist_ok=True)
        for name in ("cert.pem", "key.pem"):
            shutil.copy(self.dir / name, home / name)
        config = NGINX.format(
            dir=home, port=port, tls="ssl" if tls else "", reply=REPLY,
            echo=ECHO.replace("@LATENCY@", f"ngx.sleep({latency})" if latency else ""),
            access_log=f"log_format b '$msec $status'; access_log {log} b buffer=64k flush=1s;" if log else "access_log off;",
            status="location = /requests { stub_status; }" if status else "",
            zone=f"limit_req_zone all zone=all:1m rate={rate}r/s; limit_req_status 429;" if rate else "",
            limit=f"limit_req zone=all burst={burst} nodelay;" if rate else "")
        (home / "nginx.conf").write_text(config)
        process = self.start(["nginx", "-c", home / "nginx.conf", "-p", home], port)
        process.port, process.home = port, home
        return process

    def haproxy(self, count, period):
        backend = self.nginx(tls=False)
        port = free_port()
        config = self.dir / f"haproxy{port}.cfg"
        config.write_text(HAPROXY.format(port=port, dir=self.dir, period=period, count=count, backend=backend.port))
        process = self.start(["haproxy", "-db", "-f", config], port)
        process.port = port
        return process

    def tenant_server(self, *flags):
        port = free_port()
        process = self.start([self.build / "muster-tenant", "serve", self.tenant, "--listen", f"127.0.0.1:{port}", *flags], port)
        process.port = port
        return process

    def job(self, rows, name="job.csv"):
        """Rows that enable a token each; nginx and HAProxy
        let every token be known, muster-tenant refuses them with 404, which its limit counts like any other."""
        path = self.dir / name
        with path.open("w") as out:
            out.write("operation,userId,tokenSerialNumber\n")
            for n in range(rows):
                out.write(f"enable,eb2e12ae-1112-451b-98e1-dfe4e6afd60d,{n:012}\n")
        return path

    def muster_command(self, job, port, ca, journal, *flags):
        command = [self.build / "muster", "run", job, "--credentials", self.key, "--base-url",
                   f"https://127.0.0.1:{port}/AdminInterface/restapi", "--ca-file", ca, "--journal", journal, "--output", "json",
                   "--no-progress", *flags]
        return [str(part) for part in command]

    def muster(self, job, port, ca, *flags):
        """Starts `muster run` on a copy of the job's journal name of its own; --output json."""
        journal = self.dir / f"j{time.monotonic_ns()}"
        return subprocess.Popen(self.muster_command(job, port, ca, journal, *flags), stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)
