"""The server of document 002, in Python 3.   Usage: server_002.py HOST PORT [mended]

Kept as it is: `select` with a timeout of 0, one `recv` for one message, no line ends, names given
to whoever was accepted last, every error passed over. `mended` ends every message with LF and
drops the one that came: the next things that are wrong show only then.
"""

import select
import socket
import sys

port = int(sys.argv[2])
mended = "mended" in sys.argv
end = "\n" if mended else ""

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
            connect.send(("You are connected from:" + str(address) + end).encode())
        else:
            try:
                data = sock.recv(2048).decode()
                if mended:
                    data = data.rstrip("\r\n")
                if data.startswith("#"):
                    users[data[1:].lower()] = connect
                    print("User " + data[1:] + " added.", flush=True)
                    text = "Your user detail saved as : " + data[1:]
                    if mended:
                        text = "Your user detail saved as: " + data[1:]
                    connect.send((text + end).encode())
                elif data.startswith("@"):
                    user = data[1:data.index(":")].lower()
                    users[user].send((data[data.index(":") + 1:] + end).encode())
            except Exception:
                continue
