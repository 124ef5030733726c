"""A process that speaks the worker's protocol, and breaks it on request: fake_worker.py SCRIPT --cancel-file FILE."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SCRIPT, CANCEL_FILE = sys.argv[1], Path(sys.argv[sys.argv.index("--cancel-file") + 1])


def say(**message):
    print(json.dumps(message), flush=True)


def waitForCancel(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if CANCEL_FILE.exists():
            say(type="error", message="cancelled by the user")
            sys.exit(130)
        time.sleep(0.01)


if SCRIPT == "good":
    say(type="progress", fraction=0.25, message="quarter")
    say(type="progress", fraction=7, message="too far")
    say(type="result", folder="x")
elif SCRIPT == "garbage":
    print("hello\n{not json\n[1, 2]\n{}\n\x07")
    print('{"type": "progress"}\n{"type": "progress", "fraction": "half"}\n' + "x" * 10_000)
    sys.stdout.buffer.write(b"\xff\xfe broken text\n")
    say(type="result")
elif SCRIPT == "flood":
    for number in range(20_000):
        print("line", number)
    say(type="result")
elif SCRIPT == "error":
    say(type="error", message="SOD must be smaller than SID")
    print("xradiff: SOD must be smaller than SID", file=sys.stderr)
    sys.exit(2)
elif SCRIPT == "traceback":
    raise KeyError("surprise")
elif SCRIPT == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
elif SCRIPT == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif SCRIPT == "nothing":
    pass
elif SCRIPT == "polite":
    say(type="progress", fraction=0.1, message="working")
    waitForCancel(60)
elif SCRIPT == "orphan":  # dies and leaves a child behind in its group
    os.setpgid(0, 0)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
    say(type="started", pid=os.getpid())
    say(type="progress", fraction=0.1, message=str(child.pid))
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGSEGV)
elif SCRIPT == "deaf":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    say(type="progress", fraction=0.1, message=str(child.pid))
    time.sleep(60)
