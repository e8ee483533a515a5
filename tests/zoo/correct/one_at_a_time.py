"""One connection at a time: stage 1 (`receive`) and stage 2 (`talk`), with plain threads.

`receive` speaks S1: it prints what each sender sends, and sends nothing.
`talk` speaks S2: what is typed here goes to the client, while its lines are printed.
Whoever comes meanwhile waits in the kernel's queue until it is its turn.

    python3 one_at_a_time.py receive 127.0.0.1 8001
    python3 one_at_a_time.py talk 127.0.0.1 8002
"""

import queue
import re
import select
import socket
import sys
import threading
import unicodedata

LINE_BYTES = 2048  # L3, the line's end included
FAREWELL_SECONDS = 5.0  # L10
HIDDEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\U000e0000-\U000e007f]")


def printable(text):
    """L5: a stranger's bytes must not steer this terminal."""
    return "".join(
        "\ufffd" if HIDDEN.match(c) or (c != "\t" and unicodedata.category(c) == "Cc") else c
        for c in text
    )


def lines_of(connection):
    """Yields each complete line as bytes, and None for one that is too long (L1 to L3)."""
    rest, skipping = b"", False
    while data := connection.recv(4096):
        *complete, last = (rest + data).split(b"\n")
        for line in complete:
            if skipping:
                skipping = False
            elif len(line) >= LINE_BYTES:
                yield None
            else:
                yield line.removesuffix(b"\r")
        if not skipping and len(last) >= LINE_BYTES:
            yield None
            skipping = True
        rest = b"" if skipping else last


def print_lines(connection, peer, complain):
    """Prints a client's lines. Returns whether they ended with the stream, in good order."""
    try:
        for line in lines_of(connection):
            if line is None:
                complain(f"line too long (at most {LINE_BYTES} bytes)")
                continue
            try:
                text = printable(line.decode()).strip(" \t")
            except UnicodeDecodeError:
                complain("not UTF-8, and left out")
                continue
            if text == "exit":
                return False
            if text:
                print(f"[{peer[0]}]:{peer[1]} => {text}", flush=True)
    except OSError as error:
        print(f"{peer[0]}:{peer[1]}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def receive(connection, peer):
    print_lines(connection, peer, lambda why: print(why, file=sys.stderr, flush=True))


class Keyboard:
    """Standard input, read by one thread for all clients, one after the other."""

    def __init__(self):
        self.lines = queue.Queue(maxsize=100)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in sys.stdin.buffer:
            self.lines.put(line.rstrip(b"\r\n") + b"\n")
        self.lines.put(None)

    def send_to(self, connection, end, told):
        """Sends what is typed, until there is no more of it or `end` comes out of the queue."""
        with told:  # closing it says that we have ended
            self.send_until(connection, end)

    def send_until(self, connection, end):
        while (line := self.lines.get()) is not end:
            if line is None:
                self.lines.put(None)  # the next client is told the same
                break
            if isinstance(line, bytes):  # and not another client's end
                try:
                    connection.sendall(line)
                except OSError:
                    return
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def talk(listener, connection, peer, keyboard):
    def complain(why):
        try:
            keyboard.lines.put_nowait(f"! {why}\n".encode())
        except queue.Full:
            pass  # who does not read learns no errors either

    end = object()
    ended, told = socket.socketpair()
    sender = threading.Thread(target=keyboard.send_to, args=(connection, end, told), daemon=True)
    sender.start()
    if print_lines(connection, peer, complain):
        # Only its half has ended, perhaps: it is spoken to until the next one comes (S2.2, S2.3).
        select.select([listener, ended], [], [])
    ended.close()
    try:
        if sender.is_alive():
            keyboard.lines.put(end, timeout=FAREWELL_SECONDS)
        sender.join(FAREWELL_SECONDS)
        connection.settimeout(FAREWELL_SECONDS)
        while connection.recv(4096):  # unread bytes would turn our close into a reset
            pass
    except (OSError, queue.Full):
        pass
    try:
        connection.shutdown(socket.SHUT_RDWR)  # wakes a sender whose client does not read
    except OSError:
        pass
    sender.join()


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("receive", "talk") or not sys.argv[3].isdigit():
        print("usage: one_at_a_time.py receive|talk HOST PORT", file=sys.stderr)
        return 2
    mode, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        print(f"cannot listen on {host}:{port}: {error.strerror}; try another port", file=sys.stderr)
        return 1
    print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    keyboard = Keyboard() if mode == "talk" else None
    while True:
        connection, peer = listener.accept()
        with connection:
            if keyboard:
                talk(listener, connection, peer, keyboard)
            else:
                receive(connection, peer)


if __name__ == "__main__":
    sys.exit(main())
