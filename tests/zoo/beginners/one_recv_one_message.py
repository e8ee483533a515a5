# S3 with select. Whatever one recv returns is one message.
import re
import select
import socket
import sys

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen(100)
print("listening on %s:%d" % server.getsockname(), flush=True)

names = {}  # socket -> name


def send(sock, text):
    sock.sendall((text + "\n").encode())


def find(name):
    for sock in names:
        if names[sock] and names[sock].lower() == name.lower():
            return sock


def message(sock, text):
    if text.startswith("#"):
        name = text[1:]
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,19}", name):
            send(sock, "! bad name")
        elif find(name) not in (None, sock):
            send(sock, "! name taken: " + name)
        else:
            names[sock] = name
            print("User", name, "added.", flush=True)
            send(sock, "Your user detail saved as: " + name)
    elif text.startswith("@") and ":" in text:
        user, words = text[1:].split(":", 1)
        if not names[sock]:
            send(sock, "! register first")
        elif not words.strip():
            send(sock, "! say something")
        elif not find(user):
            send(sock, "! no such user")
        else:
            send(find(user), names[sock] + ": " + words.strip())
    else:
        send(sock, "! I do not understand")


while True:
    ready, _, _ = select.select([server] + list(names), [], [])
    for sock in ready:
        if sock is server:
            new, address = server.accept()
            names[new] = None
            send(new, "You are connected from: %s:%d" % address)
            continue
        try:
            data = sock.recv(2048)
            text = data.decode().strip()
            if text:
                message(sock, text)
        except OSError:
            data = b""
        except UnicodeDecodeError:
            send(sock, "! not UTF-8")
        if not data:
            del names[sock]
            sock.close()
