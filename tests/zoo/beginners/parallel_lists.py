# S4 with threads. Sockets in one list, in the order of connecting; names in another, in the
# order in which they were given.
import re
import socket
import sys
import threading

clients = []
names = []
lock = threading.RLock()


def send(sock, text):
    try:
        sock.sendall((text + "\n").encode())
    except OSError:
        pass


def broadcast(text, without=None):
    for sock in list(named):
        if sock is not without:
            send(sock, text)


named = []


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
                    elif text.lower() in [other.lower() for other in names]:
                        send(sock, "! name taken: " + text + "\nNICK")
                    else:
                        name = text
                        names.append(name)
                        named.append(sock)
                        here = ", ".join(names)
                        send(sock, "* welcome %s: %d here (%s)" % (name, len(names), here))
                        broadcast("* %s joined" % name, sock)
                else:
                    print("[%s]:%d => %s" % (*address, text), flush=True)
                    broadcast(name + ": " + text, sock)
    except OSError:
        pass
    with lock:
        index = clients.index(sock)
        clients.remove(sock)
        if name is not None:
            named.remove(sock)
            left = names[min(index, len(names) - 1)]
            names.remove(left)
            broadcast("* %s left" % left)
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
    with lock:
        clients.append(sock)
    threading.Thread(target=handle, args=(sock, address), daemon=True).start()
