# S4 with threads. Sockets in one list, names in another, side by side. A reset comes as an
# exception, and there the second list is forgotten.
import re
import socket
import sys
import threading

clients = []  # sockets of those with a name
names = []  # their names
taken = set()
lock = threading.RLock()


def send(sock, text):
    try:
        sock.sendall((text + "\n").encode())
    except OSError:
        pass


def broadcast(text, without=None):
    for sock in clients:
        if sock is not without:
            send(sock, text)


def gone(left, name):
    taken.discard(name.lower())
    broadcast("* %s left" % left)


def handle(sock, address):
    name = None
    send(sock, "NICK")
    try:
        for raw in sock.makefile("rb"):
            text = raw.decode(errors="replace").strip()
            if text == "exit":
                break
            if not text or not raw.endswith(b"\n"):
                continue
            with lock:
                if name is None:
                    if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,19}", text):
                        send(sock, "! bad name\nNICK")
                    elif text.lower() in taken:
                        send(sock, "! name taken: " + text + "\nNICK")
                    else:
                        name = text
                        names.append(name)
                        clients.append(sock)
                        taken.add(name.lower())
                        here = ", ".join(names)
                        send(sock, "* welcome %s: %d here (%s)" % (name, len(names), here))
                        broadcast("* %s joined" % name, sock)
                else:
                    print("[%s]:%d => %s" % (*address, text), flush=True)
                    broadcast(name + ": " + text, sock)
        with lock:
            if name is not None:
                index = clients.index(sock)
                clients.remove(sock)
                gone(names.pop(index), name)
    except OSError:
        with lock:
            if name is not None:
                index = clients.index(sock)
                clients.remove(sock)
                gone(names[index], name)
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
print("listening on %s:%s" % (sys.argv[1], sys.argv[2]), flush=True)
while True:
    sock, address = server.accept()
    print("%s:%d connected" % address, flush=True)
    threading.Thread(target=handle, args=(sock, address), daemon=True).start()
