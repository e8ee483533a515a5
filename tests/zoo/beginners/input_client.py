# A client that asks its user, sends, reads, prints, and asks again.
import os
import socket
import sys

sock = socket.socket()
try:
    sock.connect((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    sys.exit("cannot connect: %s" % error)
sock.settimeout(0.2)

buffer = b""


def show():
    global buffer
    while True:
        try:
            data = sock.recv(4096)
        except socket.timeout:
            return
        except OSError:
            sys.exit("the connection broke")
        if not data:
            print("the server has gone", file=sys.stderr)
            os._exit(0)
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")
            print("".join(c if c.isprintable() else "\ufffd" for c in text), flush=True)


show()
for line in sys.stdin:
    sock.sendall(line.rstrip("\n").encode() + b"\n")
    show()
sock.shutdown(socket.SHUT_WR)
while True:
    show()
