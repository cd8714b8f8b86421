"""G11: whoever drips, or sends without end, is cut off; others are answered meanwhile, and memory stays bounded.

All of it with ten thousand readers of the live feed, who hear nothing meanwhile and one event in the end.
"""

import resource
import selectors
import socket
import threading
import time
from urllib.parse import urlsplit

from feed import hear, open_feed
from goal import Goal, Setting, main
from installation import Installation, signed_token, text_event

LISTENERS = 10_000
LISTENER_BYTES_MAX = 16_000
SETTINGS = "[limits]\nconnections = 15000\nfeeds = 12000\ncustomer_feeds = 12000\n"
SLOW = 2_000
SLOW_SECONDS_MAX = 15
HEALTH_P99_MS = 100
MEMORY_MIB = 256
GIGABYTE = 1 << 30
DRIP_SECONDS = 0.5


def measure(setting: Setting, goal: Goal) -> None:
    """Readers first, slow ones of two kinds beside somebody who asks how the server is, then bodies that are far too large."""
    slow, listeners = setting.scaled(SLOW), setting.scaled(LISTENERS, 500)
    _need_descriptors(slow + listeners + 200)
    with Installation(setting.binary, SETTINGS) as server:
        server.start()
        (user, _), *_ = server.friends(["user"])
        streams = _listen(server, goal, listeners)
        _slow(server, goal, slow)
        _gigabytes(server, goal)
        began = time.monotonic()
        server.webhook([text_event(user, "to all")])
        goal.nothing("readers who did not hear", [one for one, heard in enumerate(hear(streams, b"to all")) if not heard])
        goal.note("seconds until all heard", round(time.monotonic() - began, 2))
        goal.at_most("peak memory MiB", round(server.memory_peak), MEMORY_MIB)
        goal.at_most("status of readiness", server.connection().ask("GET", "/readyz").status, 200)


def _listen(server: Installation, goal: Goal, count: int) -> list[socket.socket]:
    """Readers of the feed, and what each costs while nothing happens."""
    before, headers = server.memory, server.headers()
    streams = [open_feed(server.url, headers, 30.0) for _ in range(count)]
    for stream in streams:
        stream.recv(4096)
    goal.at_least("readers", len(streams), count)
    goal.at_most("bytes of a reader", round((server.memory - before) * 1024 * 1024 / count), LISTENER_BYTES_MAX)
    return streams


def _slow(server: Installation, goal: Goal, count: int) -> None:
    """How long the slow ones last, and how long others wait meanwhile."""
    done = threading.Event()
    took: list[float] = []
    asking = threading.Thread(target=_ask, args=(server, done, took))
    asking.start()
    open_seconds = _drip(server, count)
    done.set()
    asking.join()
    took.sort()
    goal.at_least("slow connections", len(open_seconds), count)
    goal.at_most("longest slow connection s", round(max(open_seconds), 1), SLOW_SECONDS_MAX)
    goal.at_least("answers meanwhile", len(took), 100)
    goal.at_most("health p99 ms", round(took[len(took) * 99 // 100] * 1000, 1), HEALTH_P99_MS)


def _need_descriptors(count: int) -> None:
    """The server is started with the same limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < count:
        raise RuntimeError(f"{count} file descriptors are needed and {most} are allowed (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, most))


def _ask(server: Installation, done: threading.Event, took: list[float]) -> None:
    connection = server.connection()
    while not done.is_set():
        began = time.monotonic()
        if connection.ask("GET", "/healthz").status == 200:
            took.append(time.monotonic() - began)
        time.sleep(0.02)


def _drip(server: Installation, count: int) -> list[float]:
    """Opens connections that send a byte now and then, one half in the head and one in the body; how long each lasted."""
    address = urlsplit(server.url)
    head = b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: "
    body = f"POST {server.webhook_path} HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n".encode()
    waiting = selectors.DefaultSelector()
    began: dict[socket.socket, float] = {}
    for number in range(count):
        stream = socket.create_connection((address.hostname, address.port))
        stream.sendall(body if number % 2 else head)
        stream.setblocking(False)
        began[stream] = time.monotonic()
        waiting.register(stream, selectors.EVENT_READ)
    lasted: list[float] = []
    drip = time.monotonic()
    # Twice the limit, so that what lasts too long has a figure and does not hang.
    while began and time.monotonic() - drip < 2 * SLOW_SECONDS_MAX:
        for key, _ in waiting.select(DRIP_SECONDS):
            _end(key.fileobj, waiting, began, lasted)
        for stream in list(began):
            try:
                stream.send(b"a")
            except BlockingIOError:
                pass
            except OSError:
                _end(stream, waiting, began, lasted)
    lasted += [time.monotonic() - at for at in began.values()]
    return lasted


def _end(
    stream: socket.socket, waiting: selectors.BaseSelector, began: dict[socket.socket, float], lasted: list[float]
) -> None:
    """Whatever the server says to a slow one is the end of it."""
    waiting.unregister(stream)
    stream.close()
    lasted.append(time.monotonic() - began.pop(stream))


def _gigabytes(server: Installation, goal: Goal) -> None:
    """Bodies that are announced as a gigabyte, and those that simply do not end."""
    address = urlsplit(server.url)
    token = signed_token(server.customer)
    statuses = []
    for path in (server.webhook_path, "/v1.0/conversations/setup", "/v1.0/medias?filename=a.bin"):
        for length in (f"content-length: {GIGABYTE}", "transfer-encoding: chunked"):
            head = f"POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n"
            head += f"content-type: application/json\r\n{length}\r\n\r\n"
            with socket.create_connection((address.hostname, address.port), timeout=60) as stream:
                stream.sendall(head.encode())
                statuses.append(_pour(stream, chunked="chunked" in length))
    goal.at_least("bodies without end", len(statuses), 6)
    # A webhook that nobody can have signed is refused unread, with 401.
    refusals = (b"401", b"413", b"cut")
    goal.nothing("bodies that were taken", [status for status in statuses if status not in refusals])


def _pour(stream: socket.socket, chunked: bool) -> bytes:
    """Sends up to a gigabyte, until the server answers; the status, or that the connection was ended."""
    part = b"x" * 65_536
    part = b"10000\r\n" + part + b"\r\n" if chunked else part
    stream.settimeout(0)
    for _ in range(GIGABYTE // 65_536):
        try:
            stream.settimeout(60)
            stream.sendall(part)
            stream.settimeout(0)
            return stream.recv(64)[9:12]
        except BlockingIOError:
            continue
        except OSError:
            break
    stream.settimeout(60)
    try:
        return stream.recv(64)[9:12]
    except OSError:
        return b"cut"  # the connection was ended, and its answer may have gone down with it


if __name__ == "__main__":
    main("G11", measure)
