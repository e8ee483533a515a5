"""The server that document 003 describes, in Python 3.   Usage: server_003.py HOST PORT [mended]

Kept as described: two parallel lists, a thread for each client, a handshake in the thread that
accepts, no line ends. The loop variable of its `broadcast`, which cannot work as it is printed,
has another name here. `mended` speaks in lines and in the words of this kit's protocol, and says who
wrote: what else is wrong shows only then.
"""

import socket
import sys
import threading

mended = "mended" in sys.argv

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen()
if mended:
    print("listening on %s:%d" % server.getsockname(), flush=True)

clients = []
nicknames = []


def receive(client):
    message = client.recv(1024).decode()
    return message.removesuffix("\n") if mended else message


def broadcast(message, without=None):
    for client in clients:
        if mended and client is not without:
            client.send((message + "\n").encode())
        elif not mended:
            client.send(message.encode())


def handle(client):
    while True:
        try:
            message = receive(client)
            if not mended:
                broadcast(message)
            elif message:
                broadcast(nicknames[clients.index(client)] + ": " + message, client)
        except Exception:
            index = clients.index(client)
            clients.remove(client)
            client.close()
            nickname = nicknames[index]
            broadcast("* " + nickname + " left" if mended else nickname + " left!")
            nicknames.remove(nickname)
            break


while True:
    client, address = server.accept()
    print("Connected with", address, flush=True)
    client.send(("NICK\n" if mended else "NICK").encode())
    nickname = receive(client)
    nicknames.append(nickname)
    clients.append(client)
    print("Nickname is", nickname, flush=True)
    if mended:
        broadcast("* " + nickname + " joined", client)
        client.send(("* welcome " + nickname + "\n").encode())
    else:
        broadcast(nickname + " joined!")
        client.send("Connected to server!".encode())
    threading.Thread(target=handle, args=(client,)).start()
