"""Files that somebody could send to do harm, and paths that try to leave their folder."""

import random
import struct
import zlib

SCRIPT = b"<script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"
PDF = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
GIF = b"GIF89a/*"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
WASM = b"\x00asm\x01\x00\x00\x00"
ZIP = b"PK\x03\x04" + b"\x00" * 26

# Ways to write a path that leads elsewhere, where somebody decodes once too often or not at all.
TRAVERSALS = [
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fkaiwa.db",
    "..%252f..%252fetc%252fpasswd",
    "....//....//etc/passwd",
    "..%5c..%5c..%5cetc%5cpasswd",
    "..\\..\\kaiwa.db",
    "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "..%00/..%00/etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "file:///etc/passwd",
    "..;/..;/etc/passwd",
    "../secret.key",
    "%2e%2e/secret.key%00.png",
]


def paths(media: str) -> list[str]:
    """Each way, wherever a path names a file."""
    places = ["/m/", f"/m/{media}/", f"/m/{media}/preview/", "/v1.0/medias/", "/docs/", "/"]
    return [place + way for place in places for way in TRAVERSALS]


def noise(width: int, height: int) -> bytes:
    """A picture that does not compress, so that the server makes a preview of it."""
    rows = b"".join(b"\x00" + random.randbytes(3 * width) for _ in range(height))
    return png(width, height, zlib.compress(rows, 1))


def png(width: int, height: int, content: bytes, padding: int = 0) -> bytes:
    """A PNG that says that it is so large, whatever its content is."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"teSt", random.randbytes(padding)), (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def files() -> list[tuple[str, str, bytes]]:
    """Name, claimed type, and bytes. Pictures of more than a megabyte are decoded by the server."""
    mega = 1_100_000
    black = zlib.compress(bytes(1 << 20) * 184, 9)  # 8,000 x 8,000 points take 192 MB
    claimed = [
        ("a.jpg", "image/jpeg", SCRIPT), ("a.png", "image/png", SVG), ("a.mp4", "video/mp4", SCRIPT),
        ("a.m4a", "audio/mp4", b"<html>" + SCRIPT), ("a.gif", "image/gif", GIF + b"*/=1;alert(1)"),
        ("a.webp", "image/webp", b"RIFF\x10\x00\x00\x00WEBPVP8 " + SCRIPT), ("a.bmp", "image/bmp", b"BM" + SCRIPT),
        ("a.ico", "image/x-icon", b"\x00\x00\x01\x00" + SCRIPT), ("a.svg", "image/svg+xml", SVG),
        ("huge.png", "image/png", png(50_000, 50_000, zlib.compress(b"\x00" * 1_000))),
        ("huge and long.png", "image/png", png(50_000, 50_000, zlib.compress(b"\x00" * 1_000), mega)),
        ("bomb.png", "image/png", png(8_000, 8_000, black, mega)), ("none.png", "image/png", png(0, 0, b"", mega)),
        ("most.png", "image/png", png(0x7FFF_FFFF, 0x7FFF_FFFF, b"", mega)),
        ("cut.jpg", "image/jpeg", JPEG + random.randbytes(mega)), ("script.jpg", "image/jpeg", JPEG + SCRIPT),
        ("empty.jpg", "image/jpeg", b""), ("short.png", "image/png", b"\x89PNG"),
    ]
    plain = [
        ("a.html", SCRIPT), ("a.htm", b"<!DOCTYPE html>" + SCRIPT), ("a.xhtml", b'<?xml version="1.0"?><html>' + SCRIPT),
        ("a.svg", SVG), ("a.svgz", b"\x1f\x8b" + zlib.compress(SVG)), ("a.xml", b"<?xml version='1.0'?><a/>"),
        ("a.js", b"alert(1)"), ("a.css", b"body{background:url(//x)}"), ("a.pdf", PDF), ("a.swf", b"FWS\x06" + SCRIPT),
        ("a.exe", b"MZ\x90\x00"), ("a.wasm", WASM), ("a.zip", ZIP + SCRIPT), ("a.jar", ZIP), ("a.hta", SCRIPT),
        ("a.mhtml", b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + SCRIPT), ("polyglot.pdf", GIF + PDF + SCRIPT),
        ("polyglot.jpg", JPEG + ZIP + SCRIPT), ("polyglot.mp4", MP4 + SCRIPT), ("bom.html", b"\xef\xbb\xbf" + SCRIPT),
        ("utf7.html", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-"), ("utf16.html", b"\xff\xfe" + "<script>".encode("utf-16-le")),
        ("../../../../tmp/escaped", b"text"), ("..\\..\\escaped.exe", b"text"), ("a\r\nSet-Cookie: b=c.txt", b"text"),
        ("a\x00.html", SCRIPT), ('a"; filename="b.html', SCRIPT), ("a\u202elmth.exe", b"text"), ("." * 300, b"text"),
        ("x" * 2_000 + ".html", SCRIPT), ("CON", b"text"), ("", b"\x00"),
    ]
    return claimed + [(name, "application/octet-stream", body) for name, body in plain]
