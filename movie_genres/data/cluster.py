"""Runs tasks on a Ray cluster, or in several processes of one machine; needs the extra `ray`."""

import functools
import importlib.util
import os
import socket
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from movie_genres.base.errors import MissingPackageError, UserError
from movie_genres.data.access import within
from movie_genres.data.reading import Access

Result = TypeVar("Result")


def check_ray() -> None:
    """Raises `MissingPackageError` where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise MissingPackageError("The engine ray", "ray", "ray")


@dataclass(frozen=True)
class Cluster:
    """Where tasks run. The workers need the same Python packages, and the files that tasks name under the same paths.

    Attributes:
        address: None starts a cluster on this machine, unless the environment names one (`RAY_ADDRESS`).
        timeout: seconds to wait for it.
        cores: that each task is given.
        retries: how often a task is tried again when its worker is lost; it must not matter what it had done.
    """

    address: str | None = None
    timeout: float = Access.timeout
    cores: int = 1
    retries: int = 3

    def run(self, function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], what: str
            ) -> Generator[Result, None, None]:
        """Calls a function of a module with the arguments of each task, and yields what it returns as it is ready.

        Tasks are taken from the iterable when their turn comes: only a few are in memory. `what` a task is, for messages.
        Who leaves early closes the generator (`contextlib.closing`): that leaves the cluster, or stops the one it started.

        Raises:
            UserError: there is no Ray or no cluster; or a task was lost with its worker again and again.
            UserError, OSError, MemoryError: as the function raised.
        """
        check_ray()
        import ray

        self._connect()
        remote = ray.remote(num_cpus=self.cores, max_retries=self.retries)(function)
        at_once = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // self.cores)
        running: list[Any] = []
        try:
            for task in tasks:
                running.append(remote.remote(*task))
                if len(running) >= at_once:
                    yield self._next(running, what)
            while running:
                yield self._next(running, what)
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        import ray

        address = self.address or os.environ.get("RAY_ADDRESS") or ""
        host, _, port = address.rpartition("://")[-1].rpartition(":")
        start = functools.partial(ray.init, address=self.address, ignore_reinit_error=True, log_to_driver=False,
                                  include_dashboard=False)
        try:
            if port.isdecimal():  # Ray itself would try a dead address for minutes
                socket.create_connection((host, int(port)), self.timeout).close()
                within(2 * self.timeout, start)
            else:
                start()
        except (OSError, OverflowError, ValueError, RuntimeError) as error:
            raise UserError(f"{address}: expected a Ray cluster; found none ({type(error).__name__}).") from None

    def _next(self, running: list[Any], what: str) -> Any:
        import ray

        ready, running[:] = ray.wait(running, num_returns=1)
        try:
            return ray.get(ready[0])
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, (UserError, OSError, MemoryError)) else error) from None
        except ray.exceptions.RayError as error:
            raise UserError(f"{what} was lost with its worker, {1 + self.retries} times: {error}") from None
