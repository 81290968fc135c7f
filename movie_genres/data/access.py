"""Opens whatever a user names, a file, a member of an archive or a URL, within limits of kind, size, time and place."""

import contextlib
import errno
import functools
import io
import ipaddress
import socket
import stat
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import IO, Any, TypeVar, TypeVarTuple
from urllib.parse import unquote, urlsplit

from movie_genres.base.files import is_below, is_of_machine, open_regular
from movie_genres.data.reading import HTTP, Access

STEP = 1 << 20  # bytes of a remote file that must come within one time-out

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
TablePath = str | Path | zipfile.Path  # text may be a URL

NAT64 = ipaddress.ip_network("64:ff9b::/96")
NAMED_BY_USER = Access(private_hosts=True)  # what stands on the command line is what its user wants


class NotAllowedError(Exception):
    """A place that must not be opened. The message says which rule forbids it."""


def describe(error: Exception) -> str:
    """What went wrong with a remote read: the kind of error and its HTTP status. Stores' own messages may quote content."""
    if isinstance(error, ImportError):
        return f"a package is missing: {error}"
    status = getattr(error, "status", None)
    return type(error).__name__ + (f", HTTP status {status}" if isinstance(status, int) else "")


def is_url(path: str) -> bool:
    """Whether a path is a URL, such as `s3://bucket/films.csv`."""
    return "://" in path


def local_path(path: str) -> str:
    """The path that a `file://` URL means; all else as it is."""
    return unquote(urlsplit(path).path) if path.lower().startswith("file://") else path


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def check_place(place: str, access: Access) -> None:
    """Refuses with `NotAllowedError` a path or URL of a list or table that `access` does not allow. Opens nothing."""
    if not is_url(place):
        if access.root is not None and not is_below(place, access.root):
            raise NotAllowedError(f"outside {access.root}")
        return
    scheme = _scheme(place)
    # A chain, such as `simplecache::file` or `zip://x::file:///y`, would open a file by way of another scheme.
    is_chain = "::" in (scheme if scheme in HTTP else place)
    if scheme == "file" or scheme not in access.schemes or is_chain:
        raise NotAllowedError(f"not a URL of {', '.join(access.schemes)}")


def within(seconds: float, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Calls a function in a thread of its own; `TimeoutError` after so long: the thread is left to end with the process."""
    answer: Future[T] = Future()

    def call() -> None:
        try:
            answer.set_result(function(*arguments))
        except BaseException as error:  # raised again where the answer is awaited
            answer.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    if wait([answer], seconds).not_done:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return answer.result()


def _remote_store(url: str, access: Access) -> tuple[Any, str]:
    """The fsspec file system of a URL, which has no types, and the path in it."""
    import fsspec

    if _scheme(url) not in HTTP:
        return fsspec.core.url_to_fs(url)
    import aiohttp

    waiting = aiohttp.ClientTimeout(total=None, sock_connect=access.timeout, sock_read=access.timeout)
    # Not `url_to_fs`, which takes the `::` of an IPv6 address for a chain of stores.
    client = {} if access.private_hosts else {"get_client": _public_client}
    return fsspec.filesystem("http", **client, client_kwargs={"timeout": waiting}), url


def _open_remote(url: str, access: Access) -> IO[bytes]:
    store, path = _remote_store(url, access)
    # A stream: if it has to ask for the size first, the HTTP store calls every trouble a missing file.
    return store.open(path, "rb", **({"block_size": 0, "size": 1} if _scheme(url) in HTTP else {}))


async def _public_client(**options: Any) -> Any:
    import aiohttp

    # Each connection goes through here, those of redirects and of names that changed their address as well.
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_public_socket), **options)


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, place = address
    if not _is_public(ipaddress.ip_address(place[0].partition("%")[0])):
        raise NotAllowedError("not a public address")
    return socket.socket(family, kind, protocol)


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address, and the IPv4 address that stands in an IPv6 one for a gateway to reach, is public."""
    if address.version == 6 and address in NAT64:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    return inner.is_global and not inner.is_multicast


def fetch(url: str, access: Access, max_bytes: int) -> bytes:
    """The first `max_bytes` bytes of what is behind a URL.

    Raises:
        NotAllowedError: `access` does not allow it.
        TimeoutError: no answer in time.
        Exception: any other; every store has errors of its own.
    """
    check_place(url, access)

    def read() -> bytes:
        with _open_remote(url, access) as file:
            data = bytearray()
            while len(data) < max_bytes and (block := file.read(max_bytes - len(data))):
                data += block
            return bytes(data)

    return _asked(access, read)


def _asked(access: Access, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """What a function answers `within` the time-out, after some retries where it fails with what may pass."""
    import fsspec  # noqa: F401  its import is not on the clock

    attempt = 0
    while True:
        try:
            return within(access.timeout, function, *arguments)
        except Exception as error:
            if (refusal := _refusal_in(error)) is not None:
                raise refusal from None
            final = (TimeoutError, FileNotFoundError, PermissionError, ImportError, ValueError)
            if attempt == access.retries or isinstance(error, final):
                raise
            time.sleep(0.2 * 2 ** attempt)
            attempt += 1


def _refusal_in(error: BaseException | None) -> NotAllowedError | None:
    """The `NotAllowedError` that a store's own error was raised for, or None."""
    while error is not None and not isinstance(error, NotAllowedError):
        error = error.__cause__ or error.__context__
    return error


def list_remote(url: str, access: Access, is_glob: bool) -> tuple[Any, str, dict[str, dict[str, Any]]]:
    """What a store says of the files at a URL: (store, path in it, details of each by its name)."""
    def listed() -> tuple[Any, str, Any]:
        store, path = _remote_store(url, access)
        return store, path, store.glob(path, detail=True) if is_glob else store.find(path, detail=True)

    return _asked(access, listed)


def open_binary(path: TablePath, access: Access = NAMED_BY_USER) -> IO[bytes]:
    """Opens a table for reading bytes: a local file, a member of an archive (`zipfile.Path`), or a URL.

    A remote table is fetched once and read from this machine from then on, so that it is the same each time.

    Raises:
        OSError: it cannot be opened or fetched, or it is no regular file: what is read here is read more than once.
        ImportError: a URL of a store whose package is missing.
    """
    if isinstance(path, str) and is_url(path := local_path(path)):
        try:
            return open(_fetched(path, access).name, "rb")
        except Exception as error:
            if is_of_machine(error) or isinstance(error, (FileNotFoundError, TimeoutError, ImportError)):
                raise
            raise OSError(describe(error)) from error
    return path.open("rb") if isinstance(path, zipfile.Path) else open_regular(path)


@functools.lru_cache(maxsize=8)
def _fetched(url: str, access: Access) -> IO[bytes]:
    """A copy of a remote file, a temporary file that goes with this process."""
    with contextlib.ExitStack() as undo:
        copy = undo.enter_context(tempfile.NamedTemporaryFile(prefix="movie-genres-"))
        with _asked(access, _open_remote, url, access) as source:
            while block := within(access.timeout, source.read, STEP):
                copy.write(block)
        copy.flush()
        undo.pop_all()
        return copy


def too_large(most: int) -> OSError:
    """The error of a file of more bytes than may be read."""
    return OSError(errno.EFBIG, f"more than {most:,} bytes")


class Capped(io.RawIOBase):
    """The bytes of a file, at most `most` of them; more are an `OSError`."""

    def __init__(self, file: IO[bytes], most: int):
        self._file, self._most, self._left = file, most, most

    def readable(self) -> bool:
        return True

    def _block(self, most: int) -> bytes:
        return self._file.read(most)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io gives nothing else
        data = self._block(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._most)
        buffer[:len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def is_special(member: zipfile.ZipInfo) -> bool:
    """Whether it is a link, a device or the like, as archivers on Unix say it."""
    return stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG)
