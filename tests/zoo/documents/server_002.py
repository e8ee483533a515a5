"""The server of document 002, in Python 3.   Usage: server_002.py HOST PORT [mended]

Kept as it is: `select` with a timeout of 0, one `recv` for one message, no line ends, names given
to whoever was accepted last, every error passed over. `mended` speaks in lines, says who wrote, and
gives the name to whoever asked: what else is wrong shows only then.
"""

import select
import socket
import sys

port = int(sys.argv[2])
mended = "mended" in sys.argv

sockets = []
users = {}
names = {}  # of `mended` alone

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("", port))
server.listen(5)
if mended:
    print("listening on %s:%d" % (sys.argv[1], port), flush=True)
sockets.append(server)

while True:
    ready, _, _ = select.select(sockets, [], [], 0)
    for sock in ready:
        if sock == server:
            connect, address = server.accept()
            sockets.append(connect)
            if mended:
                connect.send(("You are connected from: %s:%d\n" % address).encode())
            else:
                connect.send(("You are connected from:" + str(address)).encode())
        else:
            try:
                data = sock.recv(2048).decode()
                if mended and data.startswith("#"):
                    names[sock] = data[1:].removesuffix("\n")
                    users[names[sock].lower()] = sock
                    print("User " + names[sock] + " added.", flush=True)
                    sock.send(("Your user detail saved as: " + names[sock] + "\n").encode())
                elif data.startswith("#"):
                    users[data[1:].lower()] = connect
                    print("User " + data[1:] + " added.", flush=True)
                    connect.send(("Your user detail saved as : " + data[1:]).encode())
                elif mended and data.startswith("@"):
                    user = data[1:data.index(":")].lower()
                    text = data[data.index(":") + 1:].removesuffix("\n")
                    users[user].send((names[sock] + ": " + text + "\n").encode())
                elif data.startswith("@"):
                    user = data[1:data.index(":")].lower()
                    users[user].send(data[data.index(":") + 1:].encode())
            except Exception:
                continue
