"""The live feed, read from a bare socket."""

import select
import socket
import time
from urllib.parse import urlsplit

HEAR_SECONDS_MAX = 30


def open_feed(url: str, headers: dict[str, str], seconds: float) -> socket.socket:
    """A connection on which the feed begins with the next byte. `OSError` when there is none."""
    parts = urlsplit(url)
    stream = socket.create_connection((parts.hostname, parts.port), timeout=seconds)
    # HTTP/1.0: then the body has no chunks in it.
    request = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    stream.sendall(f"GET /v1.0/events HTTP/1.0\r\nHost: {parts.netloc}\r\n{request}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise ConnectionError("the server hung up")
        head += byte
    if not head.split(b" ", 2)[1] == b"200":
        stream.close()
        raise ConnectionError(head.split(b"\r\n", 1)[0].decode())
    return stream


def hear(streams: list[socket.socket], text: bytes) -> list[bool]:
    """Which of them get an event with this text within half a minute."""
    poll, end = select.epoll(), time.monotonic() + HEAR_SECONDS_MAX
    by_number = {stream.fileno(): number for number, stream in enumerate(streams)}
    heard = [b""] * len(streams)
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    missing = set(by_number)
    while missing and time.monotonic() < end:
        for number, _ in poll.poll(1.0):
            place = by_number[number]
            received = streams[place].recv(65_536)
            heard[place] += received
            if not received or text in heard[place]:
                missing.discard(number)
                poll.unregister(number)
    poll.close()
    return [text in one for one in heard]
