# S3 with select. What is wrong is passed over.
import re
import select
import socket
import sys

HOST, PORT = sys.argv[1], int(sys.argv[2])
server = socket.create_server((HOST, PORT))
print("listening on %s:%d" % (HOST, PORT), flush=True)

buffers = {}  # socket -> bytes that are no line yet
users = {}  # name in lower case -> socket
shown = {}  # socket -> name


def send(sock, text):
    sock.sendall(text.encode() + b"\n")


def line(sock, text):
    try:
        if text[0] == "#":
            name = text[1:]
            owner = users.get(name.lower())
            if re.fullmatch("[A-Za-z][-A-Za-z0-9_]{,19}", name) and owner in (None, sock):
                if sock in shown:
                    del users[shown[sock].lower()]
                users[name.lower()] = sock
                shown[sock] = name
                print("User", name, "added.", flush=True)
                send(sock, "Your user detail saved as: " + name)
        else:
            user, words = text[1:].split(":", 1)
            if text[0] == "@" and words.strip():
                send(users[user.lower()], shown[sock] + ": " + words.strip())
    except (KeyError, ValueError):
        pass


def gone(sock):
    del buffers[sock]
    if sock in shown:
        del users[shown.pop(sock).lower()]
    sock.close()


while True:
    for sock in select.select([server, *buffers], [], [])[0]:
        if sock is server:
            sock, (ip, port) = server.accept()
            buffers[sock] = b""
            send(sock, "You are connected from: %s:%d" % (ip, port))
            continue
        try:
            data = sock.recv(4096)
        except OSError:
            data = b""
        if not data:
            gone(sock)
            continue
        *lines, buffers[sock] = (buffers[sock] + data).split(b"\n")
        for raw in lines:
            text = raw.decode(errors="replace").strip()
            if text == "exit":
                gone(sock)
                break
            if text:
                line(sock, text)
