"""S4, correct: two threads for each client, one lock. Usage: threads_server.py HOST PORT"""

import re
import socket
import sys
import threading
import time

LINE_BYTES_MAX = 2048
OWED_BYTES_MAX = 1024 * 1024
NAMES_BYTES_MAX = 8000
GOODBYE_SECONDS = 5

HTTP = re.compile(r"\S+ \S+ HTTP/")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,19}")
# Control characters (TAB excepted), direction marks, line separators, tags: rule L5.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\U000e0000-\U000e007f]"
)

lock = threading.Lock()  # guards `users` and every outbox
users = {}  # name in lower case -> client


class Client:
    def __init__(self, sock, address):
        self.sock = sock
        self.ip, self.port = address[:2]
        self.name = None
        self.outbox = []
        self.owed = 0
        self.finished = False
        self.dead = False
        self.work = threading.Condition(lock)

    def send(self, line):
        """With the lock held: never waits."""
        if self.dead or self.finished:
            return
        data = line.encode() + b"\n"
        self.outbox.append(data)
        self.owed += len(data)
        if self.owed > OWED_BYTES_MAX:
            self.outbox.clear()
            self.die()
        self.work.notify_all()

    def die(self):
        # A line may be half written: a word of farewell would end up in the middle of it.
        self.dead = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes both threads
        except OSError:
            pass

    def write(self):
        """The writing thread: may wait for this client as long as it takes."""
        while True:
            with lock:
                while not self.outbox and not self.finished and not self.dead:
                    self.work.wait()
                data = b"".join(self.outbox)
                self.outbox.clear()
                self.owed = 0
                if self.dead or not data:
                    break
            try:
                self.sock.sendall(data)
            except OSError:
                break
        with lock:
            self.dead = True
            self.work.notify_all()

    def read(self):
        """The reading thread."""
        unfinished, skipping = b"", False
        while True:
            try:
                data = self.sock.recv(4096)
            except OSError:
                break
            if not data:
                break
            for piece in split_after_lf(data):
                ended = piece.endswith(b"\n")
                if skipping:
                    skipping = not ended
                    continue
                unfinished += piece
                if len(unfinished) > LINE_BYTES_MAX - (not ended):
                    unfinished, skipping = b"", not ended
                    self.refuse("line too long (at most 2048 bytes)")
                elif ended:
                    line, unfinished = unfinished[:-1], b""
                    if not self.obey(line):
                        return self.goodbye()
        self.leave()

    def obey(self, line):
        if line.endswith(b"\r"):
            line = line[:-1]
        try:
            line = line.decode()
        except UnicodeDecodeError:
            self.refuse("not UTF-8")
            return True
        line = UNPRINTABLE.sub("\ufffd", line).strip(" \t")
        if line == "exit":
            return False
        if self.name is None and HTTP.match(line):
            with lock:
                self.send("! no web pages here")
            return False
        with lock:
            if line and self.name is None:
                self.register(line)
            elif line:
                print("[%s]:%d => %s" % (self.ip, self.port, line), flush=True)
                broadcast(self.name + ": " + line, self)
        return True

    def refuse(self, why):
        with lock:
            self.send("! " + why)
            if self.name is None:
                self.send("NICK")

    def register(self, name):
        if not NAME.fullmatch(name):
            self.send("! bad name: 1 to 20 letters, digits, _ and -, a letter first")
        elif name.lower() in users:
            self.send("! name taken: " + name)
        else:
            self.name = name
            users[name.lower()] = self
            self.send(welcome(name))
            broadcast("* %s joined" % name, self)
            return
        self.send("NICK")

    def leave(self):
        with lock:
            if self.name is not None:
                del users[self.name.lower()]
                broadcast("* %s left" % self.name, self)
                self.name = None
            self.finished = True
            self.work.notify_all()
            end = time.monotonic() + GOODBYE_SECONDS
            while not self.dead and time.monotonic() < end:
                self.work.wait(end - time.monotonic())
            self.dead = True
            self.work.notify_all()
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def goodbye(self):
        """After `exit`: reads on and ignores it, so that nothing on its way is destroyed."""
        self.leave()
        self.sock.settimeout(GOODBYE_SECONDS)
        try:
            while self.sock.recv(4096):
                pass
        except OSError:
            pass

    def serve(self):
        writer = threading.Thread(target=self.write, daemon=True)
        writer.start()
        self.read()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        writer.join()
        self.sock.close()


def split_after_lf(data):
    pieces = data.split(b"\n")
    for piece in pieces[:-1]:
        yield piece + b"\n"
    if pieces[-1]:
        yield pieces[-1]


def broadcast(line, without):
    for user in users.values():
        if user is not without:
            user.send(line)


def welcome(name):
    shown, size = [], 0
    for user in users.values():
        size += len(user.name) + 2
        if size > NAMES_BYTES_MAX:
            break
        shown.append(user.name)
    hidden = len(users) - len(shown)
    more = ", and %d more" % hidden if hidden else ""
    return "* welcome %s: %d here (%s%s)" % (name, len(users), ", ".join(shown), more)


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    threading.stack_size(128 * 1024)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.exit("cannot listen on %s:%d: %s; try another port" % (host, port, error.strerror))
    listener.listen(1024)
    print("listening on %s:%d" % listener.getsockname(), flush=True)
    resting = False
    while True:
        try:
            sock, address = listener.accept()
        except OSError as error:
            if not resting:
                print("cannot accept: %s; waiting" % error.strerror, file=sys.stderr, flush=True)
            resting = True
            time.sleep(0.1)
            continue
        resting = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("%s:%d connected" % address[:2], flush=True)
        client = Client(sock, address)
        with lock:
            client.send("NICK")
        threading.Thread(target=client.serve, daemon=True).start()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
