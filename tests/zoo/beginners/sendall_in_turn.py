# S4 with threads. The thread of the one who speaks writes to all the others, one after the other.
import re
import socket
import sys
import threading

clients = {}  # socket -> name
lock = threading.Lock()


def send(sock, text):
    try:
        sock.sendall((text + "\n").encode())
    except OSError:
        pass


def broadcast(text, without=None):
    for sock in clients:
        if sock is not without:
            send(sock, text)


def register(sock, name):
    taken = [other.lower() for other in clients.values()]
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,19}", name):
        send(sock, "! bad name\nNICK")
    elif name.lower() in taken:
        send(sock, "! name taken: " + name + "\nNICK")
    else:
        broadcast("* %s joined" % name)
        clients[sock] = name
        here = ", ".join(clients.values())
        send(sock, "* welcome %s: %d here (%s)" % (name, len(clients), here))


def handle(sock, address):
    send(sock, "NICK")
    buffer = b""
    try:
        while data := sock.recv(4096):
            *lines, buffer = (buffer + data).split(b"\n")
            for raw in lines:
                text = raw.decode(errors="replace").strip()
                if text == "exit":
                    return leave(sock)
                with lock:
                    if text and sock in clients:
                        print("[%s]:%d => %s" % (*address, text), flush=True)
                        broadcast(clients[sock] + ": " + text, sock)
                    elif text:
                        register(sock, text)
    except OSError:
        pass
    leave(sock)


def leave(sock):
    with lock:
        name = clients.pop(sock, None)
        if name:
            broadcast("* %s left" % name)
    sock.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
print("listening on %s:%s" % (sys.argv[1], sys.argv[2]), flush=True)
while True:
    sock, address = server.accept()
    print("%s:%d connected" % address, flush=True)
    threading.Thread(target=handle, args=(sock, address), daemon=True).start()
