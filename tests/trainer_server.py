"""The example trainer of `jobs/`, forked from a process that has loaded torch and peft.

A test that runs the trainer a dozen times would otherwise spend its time on imports. The server
gives the words of `method.argv`: a client that starts in milliseconds, forwards the request and
SIGTERM, and exits as the trainer did.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRAINER = Path(__file__).parents[1] / "jobs" / "command_trainer.py"

_CLIENT = """
import os, signal, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
line.sendall(sys.argv[2].encode() + b"\\n")
pid = int(line.recv(20))
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
sys.exit(int(line.recv(20)))
"""

_SERVER = """
import os, runpy, socket, sys, traceback, warnings
import torch, peft, transformers
warnings.simplefilter("ignore")
torch.set_num_threads(1)
trainer = runpy.run_path(sys.argv[2])
home = socket.socket(socket.AF_UNIX)
home.bind(sys.argv[1])
home.listen()
print("ready", flush=True)
while True:
    line, _ = home.accept()
    if os.fork():
        line.close()
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            pass
        continue
    status = 1
    try:
        request = line.recv(4096).decode().strip()
        line.sendall(str(os.getpid()).encode())
        trainer["main"](request)
        status = 0
    except BaseException:
        traceback.print_exc()
    line.sendall(str(status).encode())
    os._exit(0)
"""


@contextmanager
def trainer_server(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield the words of `method.argv` that train through the server."""
    place = folder / "trainer.sock"
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(place), str(TRAINER)],
        stdout=subprocess.PIPE,
        env={"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield (sys.executable, "-I", "-S", "-c", _CLIENT, str(place), "{request}")
    finally:
        server.kill()
        server.communicate()
