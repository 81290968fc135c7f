import os
import signal
import subprocess
import sys

import psutil
import pytest
from conftest import REPOSITORY

STAGE = "import time; from stages.common import running\nwith running():\n    print('ready', flush=True); time.sleep(60)"
DVC = f"""
import subprocess, sys
child = subprocess.Popen(["sh", "-c", '"$0" -c "$1"; true', sys.executable, {STAGE!r}], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("name, ends", [("dvc", True), ("other", False)])
def test_a_stage_ends_when_the_dvc_that_started_it_is_killed(tmp_path, name, ends):
    (tmp_path / name).write_text(DVC)
    parent = subprocess.Popen([sys.executable, tmp_path / name], stdout=subprocess.PIPE, text=True,
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
