"""Ends a stage with the `dvc` that started it: nobody would take its outputs."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence

import psutil


def is_dvc(command: Sequence[str]) -> bool:
    """Whether a command line runs DVC: its program, or Python with its script or module. Other arguments do not count."""
    program, *arguments = map(os.path.basename, command or [""])
    if not program.lower().startswith("python"):
        return program == "dvc"
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            return word == "dvc"  # the script, the module or code; what follows is for it
        if word in ("-X", "-W"):
            next(words, "")  # its value
    return False


def end_with_dvc() -> None:
    """Ends this process once the `dvc` among its ancestors, the nearest one, has been killed; none if started by hand."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process().parents():
            if is_dvc(process.cmdline()):
                threading.Thread(target=_end_with, args=(process,), daemon=True).start()
                return


def _end_with(dvc: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        while dvc.is_running() and dvc.status() != psutil.STATUS_ZOMBIE:
            time.sleep(1)
    logging.error("The dvc process that started this stage has gone: it ends, and goes on with the next dvc repro.")
    os._exit(1)
