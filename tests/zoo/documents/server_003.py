"""The server that document 003 describes, in Python 3.   Usage: server_003.py HOST PORT

Kept as described: two parallel lists, a thread for each client, a handshake in the thread that
accepts, no line ends. The loop variable of its `broadcast`, which cannot work as it is printed,
has another name here.
"""

import socket
import sys
import threading

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen()

clients = []
nicknames = []


def receive(client):
    return client.recv(1024).decode()


def broadcast(message):
    for client in clients:
        client.send(message.encode())


def handle(client):
    while True:
        try:
            broadcast(receive(client))
        except Exception:
            index = clients.index(client)
            clients.remove(client)
            client.close()
            nickname = nicknames[index]
            broadcast(nickname + " left!")
            nicknames.remove(nickname)
            break


while True:
    client, address = server.accept()
    print("Connected with", address, flush=True)
    client.send("NICK".encode())
    nickname = receive(client)
    nicknames.append(nickname)
    clients.append(client)
    print("Nickname is", nickname, flush=True)
    broadcast(nickname + " joined!")
    client.send("Connected to server!".encode())
    threading.Thread(target=handle, args=(client,)).start()
