"""The server of document 002, in Python 3.   Usage: server_002.py HOST PORT

Kept as it is: `select` with a timeout of 0, one `recv` for one message, no line ends, names given
to whoever was accepted last, every error passed over.
"""

import select
import socket
import sys

port = int(sys.argv[2])

sockets = []
users = {}

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("", port))
server.listen(5)
sockets.append(server)

while True:
    ready, _, _ = select.select(sockets, [], [], 0)
    for sock in ready:
        if sock == server:
            connect, address = server.accept()
            sockets.append(connect)
            connect.send(("You are connected from:" + str(address)).encode())
        else:
            try:
                data = sock.recv(2048).decode()
                if data.startswith("#"):
                    users[data[1:].lower()] = connect
                    print("User " + data[1:] + " added.", flush=True)
                    connect.send(("Your user detail saved as : " + data[1:]).encode())
                elif data.startswith("@"):
                    user = data[1:data.index(":")].lower()
                    users[user].send(data[data.index(":") + 1:].encode())
            except Exception:
                continue
