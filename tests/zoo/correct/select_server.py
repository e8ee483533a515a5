"""S3, correct: many clients on one thread. Usage: select_server.py HOST PORT"""

import errno
import re
import selectors
import socket
import sys
import time

LINE_BYTES_MAX = 2048
OWED_BYTES_MAX = 1024 * 1024
GOODBYE_SECONDS = 5
REST_SECONDS = 0.1

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,19}")
# Control characters (TAB excepted), direction marks, line separators, tags: rule L5.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\U000e0000-\U000e007f]"
)

selector = selectors.DefaultSelector()
users = {}  # name in lower case -> client
clients = set()


class Client:
    def __init__(self, sock, address):
        self.sock = sock
        self.address = "%s:%d" % address
        self.unfinished = b""
        self.skipping = False
        self.owed = b""
        self.name = None
        self.leaving_since = None  # a moment: everything owed is sent, then it is closed

    def send(self, line):
        self.owed += line.encode() + b"\n"
        if len(self.owed) > OWED_BYTES_MAX:
            # A line may be half written: a word of farewell would end up in the middle of it.
            return self.close()
        self.flush()

    def flush(self):
        try:
            while self.owed:
                self.owed = self.owed[self.sock.send(self.owed):]
        except BlockingIOError:
            pass
        except OSError:
            return self.close()
        if self.leaving_since and not self.owed:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        self.watch()

    def watch(self):
        if self not in clients:
            return
        wanted = selectors.EVENT_READ
        if self.owed:
            wanted |= selectors.EVENT_WRITE
        selector.modify(self.sock, wanted, self)

    def forget_name(self):
        if self.name:
            users.pop(self.name.lower(), None)
            self.name = None

    def leave(self):
        """Nothing more is obeyed; what is owed is still sent."""
        self.forget_name()
        self.leaving_since = time.monotonic()
        self.flush()

    def close(self):
        self.forget_name()
        if self in clients:
            clients.remove(self)
            selector.unregister(self.sock)
            self.sock.close()

    def readable(self):
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            return self.close()
        if not data:
            if not self.leaving_since:
                self.leave()
            if not self.owed or self not in clients:
                return self.close()
            # End of stream, but something is owed: only writing is of interest now.
            return selector.modify(self.sock, selectors.EVENT_WRITE, self)
        if self.leaving_since:
            return
        for line in self.lines(data):
            if self in clients and not self.leaving_since:
                obey(self, line)

    def lines(self, data):
        for piece in split_after_lf(data):
            ended = piece.endswith(b"\n")
            if self.skipping:
                self.skipping = not ended
                continue
            self.unfinished += piece
            if len(self.unfinished) > LINE_BYTES_MAX - (not ended):
                self.unfinished = b""
                self.skipping = not ended
                self.send("! line too long (at most 2048 bytes)")
            elif ended:
                line, self.unfinished = self.unfinished[:-1], b""
                if line.endswith(b"\r"):
                    line = line[:-1]
                try:
                    line = line.decode()
                except UnicodeDecodeError:
                    self.send("! not UTF-8")
                    continue
                line = UNPRINTABLE.sub("\ufffd", line).strip(" \t")
                if line:
                    yield line


def split_after_lf(data):
    pieces = data.split(b"\n")
    for piece in pieces[:-1]:
        yield piece + b"\n"
    if pieces[-1]:
        yield pieces[-1]


def obey(client, line):
    if line == "exit":
        client.leave()
    elif not client.name and re.match(r"\S+ \S+ HTTP/", line):
        client.send("! nobody reads web pages here")
        client.leave()
    elif line.startswith("#"):
        register(client, line[1:])
    elif line.startswith("@") and ":" in line:
        user, text = line[1:].split(":", 1)
        deliver(client, user.strip(), text.strip(" \t"))
    else:
        client.send("! say #NAME or @USER:TEXT")


def register(client, name):
    if not NAME.fullmatch(name):
        return client.send("! bad name: 1 to 20 letters, digits, _ and -, a letter first")
    if users.get(name.lower(), client) is not client:
        return client.send("! name taken: " + name)
    client.forget_name()
    client.name = name
    users[name.lower()] = client
    print("User %s added." % name, flush=True)
    client.send("Your user detail saved as: " + name)


def deliver(client, user, text):
    if client.name is None:
        client.send("! register first: #NAME")
    elif not text:
        client.send("! there is no text")
    elif user.lower() not in users:
        client.send("! no such user: " + user)
    else:
        users[user.lower()].send(client.name + ": " + text)


def accept(listener):
    """Returns False when there is no descriptor left."""
    try:
        sock, address = listener.accept()
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = Client(sock, address)
    clients.add(client)
    selector.register(sock, selectors.EVENT_READ, client)
    client.send("You are connected from: " + client.address)
    return True


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.exit("cannot listen on %s:%d: %s; try another port" % (host, port, error.strerror))
    listener.listen(1024)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    print("listening on %s:%d" % listener.getsockname(), flush=True)
    resting_until = None
    has_said_so = False
    while True:
        leaving = any(client.leaving_since for client in clients)
        events = selector.select(REST_SECONDS if leaving or resting_until else None)
        now = time.monotonic()
        if resting_until and now >= resting_until:
            resting_until = None
            selector.register(listener, selectors.EVENT_READ)
        for key, mask in events:
            client = key.data
            if client is None:
                if accept(listener):
                    has_said_so = False
                    continue
                if not has_said_so:
                    print("no descriptors left; waiting", file=sys.stderr, flush=True)
                    has_said_so = True
                selector.unregister(listener)
                resting_until = now + REST_SECONDS
                continue
            if client in clients and mask & selectors.EVENT_WRITE:
                client.flush()
                if client.leaving_since and not client.owed:
                    client.watch()
            if client in clients and mask & selectors.EVENT_READ:
                client.readable()
        for client in [c for c in clients if c.leaving_since]:
            if now - client.leaving_since > GOODBYE_SECONDS:
                client.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
