"""A correct client. Usage: client.py HOST PORT"""

import os
import re
import socket
import sys
import threading

LINE_BYTES_MAX = 8192

# Control characters (TAB excepted), direction marks, line separators, tags: rule L5.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\U000e0000-\U000e007f]"
)


def send_all(sock):
    """Standard input to the socket; then half-closes."""
    try:
        for line in sys.stdin.buffer:
            sock.sendall(line.rstrip(b"\r\n") + b"\n")
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other thread says how it ended


def print_line(line):
    text = line.rstrip(b"\r\n").decode(errors="replace")
    sys.stdout.write(UNPRINTABLE.sub("\ufffd", text) + "\n")
    sys.stdout.flush()


def print_all(sock):
    unfinished = b""
    while True:
        data = sock.recv(4096)
        if not data:
            return
        pieces = data.split(b"\n")
        for piece in pieces[:-1]:
            print_line((unfinished + piece)[:LINE_BYTES_MAX])
            unfinished = b""
        unfinished = (unfinished + pieces[-1])[:LINE_BYTES_MAX]


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    try:
        sock = socket.create_connection((host, port))
    except OSError as error:
        print("cannot connect to %s:%d: %s; is the server running?" % (host, port, error),
              file=sys.stderr)
        return 1
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    threading.Thread(target=send_all, args=(sock,), daemon=True).start()
    try:
        print_all(sock)
    except OSError as error:
        print("the connection broke: %s" % error, file=sys.stderr)
        return 1
    print("the server has ended the connection", file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    sys.stdout.flush()
    os._exit(status)  # a thread that waits for a line of the user must not hold us
