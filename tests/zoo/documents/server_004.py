"""The server of document 004, in Python 3.   Usage: server_004.py HOST PORT [mended]

Kept as it is: no names, a `break` in the broadcast, an end of stream that ends nothing. `mended`
asks for a name, speaks in lines, and sends to more than one: what else is wrong shows only then.
"""

import socket
import sys
from _thread import start_new_thread

mended = "mended" in sys.argv

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen(100)
if mended:
    print("listening on %s:%d" % server.getsockname(), flush=True)

clients = []


def remove(connection):
    if connection in clients:
        clients.remove(connection)


def broadcast(message, connection):
    for client in clients:
        if client != connection:
            try:
                client.send(message.encode())
                if not mended:
                    break
            except OSError:
                client.close()
                remove(client)


def serve(connection, address):
    if mended:
        connection.send("NICK\n".encode())
        name = connection.recv(2048).decode().removesuffix("\n")
        clients.append(connection)
        connection.send(("* welcome " + name + "\n").encode())
    else:
        connection.sendto("Hi there, ~from server..!".encode(), address)
    while True:
        try:
            message = connection.recv(2048).decode()
            if message:
                print("[" + address[0] + "]: " + str(address[1]) + " => " + message, flush=True)
                if mended:
                    broadcast(name + ": " + message.removesuffix("\n") + "\n", connection)
                else:
                    broadcast("<[" + address[0] + "] :" + str(address[1]) + "> => " + message, connection)
            else:
                remove(connection)
        except Exception:
            continue


while True:
    connection, address = server.accept()
    if not mended:
        clients.append(connection)
    print(address[0] + ":" + str(address[1]) + " connected", flush=True)
    start_new_thread(serve, (connection, address))
