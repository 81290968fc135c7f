import errno
import http.server
import ipaddress
import os
import socket
import sys
import threading
import time
from dataclasses import replace

import pytest
from conftest import image_bytes

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.base.files import open_regular
from movie_genres.data.access import NotAllowedError, _is_public, check_place, fetch, local_path, open_binary, within
from movie_genres.data.reading import Access
from movie_genres.data.tables import Table
from movie_genres.inputs.posters import PosterError
from movie_genres.scoring.listing import list_posters
from movie_genres.scoring.poster_sources import RemotePoster

GOOD = image_bytes()
QUICK = Access(timeout=0.5, private_hosts=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the path says, and notes each request."""

    def do_GET(self):
        self.server.seen.append(self.path)
        action = self.path.strip("/").split("/")[0]
        if action == "slow":
            time.sleep(2)
        if action == "redirect":
            self.send_response(302)
            self.send_header("Location", "/good.jpg")
            self.end_headers()
            return
        failing = action == "broken" or (action == "once" and len(self.server.seen) == 1)
        status = 503 if failing else 404 if action == "none" else 200
        content = {"page": b'<a href="good.jpg">x</a> <a href="sub/b.jpg">y</a>' if self.path == "/page/" else GOOD,
                   "films.csv": b"id,overview\n1,a\n"}.get(action, GOOD)
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if self.path == "/page/" else "image/jpeg")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):  # a client that has stopped to wait
        pass


@pytest.fixture
def server():
    server = Server(("127.0.0.1", 0), Handler)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def kind_of(poster, max_bytes=10**6):
    with pytest.raises(PosterError) as error:
        poster.read(max_bytes)
    return error.value.kind, str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_private_addresses_are_refused_before_anything_is_sent(server, host):
    poster = RemotePoster(f"http://{host}:{server.server_address[1]}/good.jpg", "", Access(timeout=2))
    kind, message = kind_of(poster)
    assert (kind, message) == ("not_allowed", "not a public address")
    assert not server.seen


def test_private_addresses_are_read_where_they_are_allowed(server):
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for path in ("good.jpg", "redirect/x.jpg"):
        assert RemotePoster(f"{url}/{path}", "", QUICK).read(10**6) == GOOD
    assert kind_of(RemotePoster(f"{url}/good.jpg", "", QUICK), 10) == ("too_large", "11 bytes; at most 10 are read")
    assert kind_of(RemotePoster(f"{url}/none", "", QUICK))[0] == "missing"


def test_every_connection_of_a_redirect_is_checked(server, monkeypatch):
    """The first host counts as public; where it leads to does not."""
    public = []

    def first_only(address):
        public.append(address)
        return len(public) == 1

    monkeypatch.setattr("movie_genres.data.access._is_public", first_only)

    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", f"http://127.0.0.2:{server.server_address[1]}/good.jpg")
        handler.end_headers()

    monkeypatch.setattr(Handler, "do_GET", elsewhere)
    poster = RemotePoster(f"http://127.0.0.1:{server.server_address[1]}/a.jpg", "", Access(timeout=2))
    assert kind_of(poster)[0] == "not_allowed"
    assert len(public) == 2


@pytest.mark.parametrize("address, public", [
    ("8.8.8.8", True), ("10.0.0.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False),
    ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("64:ff9b::808:808", True), ("2002:7f00:1::", False),
    ("fe80::1", False), ("2606:4700::1", True)])
def test_knows_public_addresses(address, public):
    assert _is_public(ipaddress.ip_address(address)) == public


def test_a_server_that_never_answers_is_given_up(server):
    started = time.monotonic()
    kind, message = kind_of(RemotePoster(f"http://127.0.0.1:{server.server_address[1]}/slow", "", QUICK))
    assert (kind, message) == ("unreadable", "no answer within 0.5 seconds")
    assert time.monotonic() - started < 1.5
    with socket.create_server(("127.0.0.1", 0)) as silent:
        poster = RemotePoster(f"http://127.0.0.1:{silent.getsockname()[1]}/x", "", QUICK)
        assert kind_of(poster) == ("unreadable", "no answer within 0.5 seconds")


def test_a_server_that_fails_once_is_asked_again(server):
    url = f"http://127.0.0.1:{server.server_address[1]}"
    assert RemotePoster(f"{url}/once", "", QUICK).read(10**6) == GOOD
    assert server.seen == ["/once"] * 2
    assert kind_of(RemotePoster(f"{url}/broken", "", QUICK)) == ("unreadable", "ClientResponseError, HTTP status 503")
    assert server.seen.count("/broken") == 3


def test_a_page_of_the_user_is_listed_and_its_posters_read(server):
    url = f"http://127.0.0.1:{server.server_address[1]}/page/"
    found = list(list_posters(url, 10**6, access=Access(timeout=2)))
    assert [film_id for film_id, _ in found] == ["good", "sub/b"]
    assert all(poster.read(10**6) == GOOD for _, poster in found)
    with pytest.raises(InputError, match="at least one poster; found none"):
        list(list_posters(url.replace("page/", "none"), 10**6, access=Access(timeout=2)))


def test_a_remote_table_is_fetched_once(server):
    url = f"http://127.0.0.1:{server.server_address[1]}/films.csv"
    assert [cells for _, cells in Table(url)] == [["1", "a"]]
    assert server.seen == ["/films.csv"]
    with pytest.raises(InputError, match="HTTP status 503"):
        Table(url.replace("films.csv", "broken"))


@pytest.mark.parametrize("place", ["file:///etc/hostname", "FILE:///x", "s3://bucket/x", "simplecache::file:///x",
                                   "http::file:///x", "memory://x", "zip://x::file:///y"])
def test_only_allowed_schemes_are_opened(place):
    with pytest.raises(NotAllowedError):
        check_place(place, Access())
    with pytest.raises(NotAllowedError):
        fetch(place, Access(), 10)


@pytest.mark.parametrize("place", ["file:///etc/hostname", "zip://x::file:///y"])
def test_files_cannot_be_reached_through_allowed_schemes(place):
    with pytest.raises(NotAllowedError):
        check_place(place, Access(schemes=("file", "zip")))


def test_local_paths_of_file_urls():
    assert local_path("file:///a%20b/c") == "/a b/c" and local_path("FILE:///x") == "/x" and local_path("x") == "x"


def test_pipes_and_folders_are_refused_at_once_and_nothing_stays_open(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    before = os.dup(0)
    os.close(before)
    for place in (tmp_path / "pipe", tmp_path):
        for opener in (open_regular, open_binary):
            with pytest.raises(OSError) as error:
                opener(str(place))
            assert error.value.errno == errno.ENOTSUP
    after = os.dup(0)  # the lowest number that is free
    os.close(after)
    assert after == before


def test_within_waits_only_so_long_and_passes_errors_on():
    assert within(1, lambda number: number + 1, 1) == 2
    with pytest.raises(ZeroDivisionError):
        within(1, lambda: 1 / 0)
    with pytest.raises(TimeoutError, match="within 0.1"):
        within(0.1, time.sleep, 1)


def test_a_machine_without_sockets_is_not_the_posters_trouble(server, monkeypatch):
    def exhausted(*arguments):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("movie_genres.data.access.socket.socket", exhausted)
    monkeypatch.setattr("movie_genres.data.access._is_public", lambda address: True)
    with pytest.raises(OSError) as error:
        RemotePoster("http://127.0.0.1:9/x", "", replace(QUICK, private_hosts=False, retries=0)).read(10)
    assert error.value.errno == errno.EMFILE


def test_a_missing_package_is_named(monkeypatch):
    for package in ("s3fs", "aiohttp"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match="s3://bucket/x needs the package s3fs"):
        list(list_posters("s3://bucket/x", 10**6, access=QUICK))
    url = "http://127.0.0.1:9/x"
    with pytest.raises(InputError, match="whose package is installed; found that one is missing .*aiohttp"):
        list(list_posters(url, 10**6, access=QUICK))
    assert "aiohttp" in kind_of(RemotePoster(url, "", QUICK))[1]


@pytest.mark.parametrize("url", ["nosuchstore://x", "http://", "http://["])
def test_urls_that_lead_nowhere_are_refused(url):
    with pytest.raises(InputError):
        list(list_posters(url, 10**6, access=QUICK))


def test_a_listing_that_never_comes_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InputError, match="no answer within|found none"):
        list(list_posters(f"http://127.0.0.1:{silent.getsockname()[1]}/x/", 10**6, access=QUICK))
