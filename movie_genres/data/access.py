"""Opens whatever a user names, a file, a member of an archive or a URL, within limits of kind, size, time and place."""

import contextlib
import functools
import ipaddress
import queue
import socket
import stat
import tempfile
import threading
import time
import zipfile
from urllib.parse import unquote, urlsplit

from movie_genres.base.files import is_below, is_of_machine, open_regular
from movie_genres.data.reading import HTTP, Access

STEP = 1 << 20  # bytes of a remote file that must come within one time-out


class NotAllowedError(Exception):
    """A place that must not be opened. The message says which rule forbids it."""


NAT64 = ipaddress.ip_network("64:ff9b::/96")
NAMED_BY_USER = Access(private_hosts=True)  # what stands on the command line is what its user wants


def describe(error):
    """What went wrong with a remote read: the kind of error and its HTTP status. Stores' own messages may quote content."""
    if isinstance(error, ImportError):
        return f"a package is missing: {error}"
    status = getattr(error, "status", None)
    return type(error).__name__ + (f", HTTP status {status}" if isinstance(status, int) else "")


def is_url(path):
    """Whether a path is a URL, such as `s3://bucket/films.csv`."""
    return isinstance(path, str) and "://" in path


def local_path(path):
    """The path that a `file://` URL means; all else as it is."""
    return unquote(urlsplit(path).path) if isinstance(path, str) and path.lower().startswith("file://") else path


def check_place(place, access):
    """Refuses a path or URL, as it stands in a list or table, that `access` does not allow. Opens nothing.

    Raises:
        NotAllowedError: it says why.
    """
    if not is_url(place):
        if access.root is not None and not is_below(place, access.root):
            raise NotAllowedError(f"outside {access.root}")
        return
    scheme = place.partition("://")[0].lower()
    # A chain, such as `simplecache::file` or `zip://x::file:///y`, would open a file by way of another scheme.
    is_chain = "::" in (scheme if scheme in HTTP else place)
    if scheme == "file" or scheme not in access.schemes or is_chain:
        raise NotAllowedError(f"not a URL of {', '.join(access.schemes)}")


def within(seconds, function, *arguments):
    """Calls a function in a thread of its own and waits for it only so long.

    Raises:
        TimeoutError: it took longer; the thread is left to itself and ends with the process.
    """
    answers = queue.SimpleQueue()

    def call():
        try:
            answers.put((function(*arguments), None))
        except BaseException as error:  # raised again where the answer is awaited
            answers.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return answer


def remote_store(url, access):
    """The fsspec file system of a URL, and the path in it: (store, path)."""
    import fsspec

    if _scheme(url) not in HTTP:
        return fsspec.core.url_to_fs(url)
    import aiohttp

    waiting = aiohttp.ClientTimeout(total=None, sock_connect=access.timeout, sock_read=access.timeout)
    # Not `url_to_fs`, which takes the `::` of an IPv6 address for a chain of stores.
    return fsspec.filesystem("http", get_client=_any_client if access.private_hosts else _public_client,
                             client_kwargs={"timeout": waiting}), url


def _scheme(url):
    return url.partition("://")[0].lower()


def _open_remote(url, access):
    store, path = remote_store(url, access)
    # A stream: if it has to ask for the size first, the HTTP store calls every trouble a missing file.
    return store.open(path, "rb", **({"block_size": 0, "size": 1} if _scheme(url) in HTTP else {}))


async def _any_client(**options):
    import aiohttp

    return aiohttp.ClientSession(**options)


async def _public_client(**options):
    import aiohttp

    # Each connection goes through here, those of redirects and of names that changed their address as well.
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_public_socket), **options)


def _public_socket(address):
    family, kind, protocol, _, place = address
    if not _is_public(ipaddress.ip_address(place[0].partition("%")[0])):
        raise NotAllowedError("not a public address")
    return socket.socket(family, kind, protocol)


def _is_public(address):
    """Whether an address, and the IPv4 address that stands in an IPv6 one for a gateway to reach, is public."""
    if address.version == 6 and address in NAT64:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    return inner.is_global and not inner.is_multicast


def fetch(url, access, max_bytes):
    """The first `max_bytes` bytes of what is behind a URL.

    Raises:
        NotAllowedError: `access` does not allow it.
        TimeoutError: no answer in time.
        Exception: any other; every store has errors of its own.
    """
    check_place(url, access)

    def read():
        with _open_remote(url, access) as file:
            data = bytearray()
            while len(data) < max_bytes and (block := file.read(max_bytes - len(data))):
                data += block
            return bytes(data)

    return _with_retries(access, lambda: within(access.timeout, read))


def _with_retries(access, act):
    for attempt in range(access.retries + 1):
        try:
            return act()
        except Exception as error:
            refusal = _refusal_in(error)
            if refusal is not None:
                raise refusal from None
            final = (TimeoutError, FileNotFoundError, PermissionError, ImportError, ValueError)
            if attempt == access.retries or isinstance(error, final):
                raise
            time.sleep(0.2 * 2 ** attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _refusal_in(error):
    """The `NotAllowedError` that a store's own error was raised for, or None."""
    while error is not None and not isinstance(error, NotAllowedError):
        error = error.__cause__ or error.__context__
    return error


def list_remote(url, access, is_glob):
    """What a store says of the files at a URL: (store, path in it, dict from name to its details)."""
    def listed():
        store, path = remote_store(url, access)
        return store, path, store.glob(path, detail=True) if is_glob else store.find(path, detail=True)

    return _with_retries(access, lambda: within(access.timeout, listed))


def open_binary(path, access=NAMED_BY_USER):
    """Opens a table for reading bytes: a local file, a member of an archive (`zipfile.Path`), or a URL.

    A remote table is fetched once and read from this machine from then on, so that it is the same each time.

    Raises:
        OSError: it cannot be opened or fetched, or it is no regular file: what is read here is read more than once.
        ImportError: a URL of a store whose package is missing.
    """
    path = local_path(path)
    if is_url(path):
        try:
            return open(_fetched(path, access).name, "rb")
        except Exception as error:
            if is_of_machine(error) or isinstance(error, (FileNotFoundError, TimeoutError, ImportError)):
                raise
            raise OSError(describe(error)) from error
    return path.open("rb") if isinstance(path, zipfile.Path) else open_regular(path)


@functools.lru_cache(maxsize=8)
def _fetched(url, access):
    """A copy of a remote file, a temporary file that goes with this process."""
    with contextlib.ExitStack() as undo:
        copy = undo.enter_context(tempfile.NamedTemporaryFile(prefix="movie-genres-"))
        source = _with_retries(access, lambda: within(access.timeout, _open_remote, url, access))
        with source:
            while block := within(access.timeout, source.read, STEP):
                copy.write(block)
        copy.flush()
        undo.pop_all()
        return copy



def is_special(member):
    """Whether a `zipfile.ZipInfo` is a link, a device or the like, as archivers on Unix say it."""
    return stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG)

