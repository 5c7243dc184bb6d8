"""Runs a command and tells what it took: time, CPU, peak memory, output."""
import dataclasses
import os
import re
import subprocess
import tempfile
import threading
import time


@dataclasses.dataclass
class Taken:
    seconds: float
    cpu: float  # seconds, of the process alone
    mib: float  # at its peak
    code: int
    out: str


def measured(command, codes=(0,), while_running=None):
    """`while_running(process)` is called at once, in this thread. Any exit code but `codes` is an error."""
    with tempfile.TemporaryFile("w+") as out:
        begun = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT)
        memory = HighWater(process.pid)
        try:
            if while_running:
                while_running(process)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            memory.stop()
            if process.returncode is None:
                process.kill()
                process.wait()
        seconds = time.monotonic() - begun
        out.seek(0)
        said = out.read()
    if process.returncode not in codes:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said[-1000:]}")
    return Taken(seconds, used.ru_utime + used.ru_stime, memory.mib, process.returncode, said)


class HighWater(threading.Thread):
    """A process's peak memory, looked at every 20 ms. (What wait4() tells counts the Python that forked it too.)"""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.mib, self.ended = pid, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            try:
                with open(f"/proc/{self.pid}/status") as status:
                    found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
            except OSError:
                return
            if found:
                self.mib = max(self.mib, int(found[1]) / 1024)

    def stop(self):
        self.ended.set()
        self.join()
