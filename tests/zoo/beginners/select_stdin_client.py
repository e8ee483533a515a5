# A client with select on the socket and on standard input. readline takes everything that is
# there into its buffer and gives one line; select then sees nothing more.
import select
import socket
import sys

sock = socket.socket()
try:
    sock.connect((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    sys.exit("cannot connect to %s:%s: %s" % (sys.argv[1], sys.argv[2], error))

buffer = b""
sources = [sock, sys.stdin]
while True:
    for source in select.select(sources, [], [])[0]:
        if source is sock:
            try:
                data = sock.recv(4096)
            except OSError as error:
                sys.exit("the connection broke: %s" % error)
            if not data:
                print("the server has ended the connection", file=sys.stderr)
                sys.exit(0)
            *lines, buffer = (buffer + data).split(b"\n")
            buffer = buffer[:8192]
            for line in lines:
                text = line.decode(errors="replace").rstrip("\r")
                text = "".join(c if c == "\t" or c.isprintable() else "\ufffd" for c in text)
                print(text, flush=True)
        else:
            line = sys.stdin.readline()
            if line:
                sock.sendall(line.rstrip("\n").encode() + b"\n")
            else:
                sock.shutdown(socket.SHUT_WR)
                sources.remove(sys.stdin)
