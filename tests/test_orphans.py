import os
import signal
import subprocess
import sys

import psutil
import pytest
from conftest import REPOSITORY

from stages.parent import is_dvc

STAGE = "import time; from stages.common import running\nwith running():\n    print('ready', flush=True); time.sleep(60)"
DVC = f"""
import subprocess, sys
child = subprocess.Popen(["sh", "-c", '"$0" -c "$1"; true', sys.executable, {STAGE!r}], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("command, expected", [
    (["dvc", "repro"], True),
    (["/usr/lib/dvc/dvc", "repro"], True),
    (["/x/.venv/bin/python", "/x/.venv/bin/dvc", "exp", "run"], True),
    (["python3.12", "-m", "dvc", "repro"], True),
    (["python3", "-X", "dev", "-W", "ignore", "-u", "/usr/bin/dvc", "exp", "exec-run", "--infofile", "run.json"], True),
    (["/Library/Frameworks/Python.framework/Versions/3.11/bin/Python", "-Bm", "dvc"], True),
    (["vim", "/x/dvc"], False),
    (["bash", "-c", "dvc repro"], False),
    (["sh", "/x/dvc"], False),
    (["make", "-C", "dvc"], False),
    (["python3", "wrap.py", "dvc", "repro"], False),
    (["python3", "-m", "pytest", "/x/dvc"], False),
    (["python3", "-c", "import time", "/x/dvc"], False),
    (["python3", "-W", "dvc", "main.py"], False),
    (["python3", "-X", "dvc"], False),
    (["dvc-data"], False),
    (["python3"], False),
    ([""], False),
    ([], False),
])
def test_a_dvc_is_known_by_its_command_line(command, expected):
    assert is_dvc(command) == expected


@pytest.mark.parametrize("name, ends", [("dvc", True), ("other", False)])
def test_a_stage_ends_when_the_dvc_that_started_it_is_killed(tmp_path, name, ends):
    (tmp_path / name).write_text(DVC)
    parent = subprocess.Popen([sys.executable, tmp_path / name, tmp_path / "dvc"], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    shell = psutil.Process(int(parent.stdout.readline()))
    stage, = shell.children()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    try:
        _, alive = psutil.wait_procs([stage], timeout=30 if ends else 4)
        assert bool(alive) != ends
    finally:
        for process in (shell, stage):
            if process.is_running():
                process.kill()
