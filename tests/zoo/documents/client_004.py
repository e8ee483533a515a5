"""The client of document 004, in Python 3.   Usage: client_004.py HOST PORT

Kept as it is: `select` on standard input, whose buffer `select` does not see.
"""

import select
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.connect((sys.argv[1], int(sys.argv[2])))

while True:
    ready, _, _ = select.select([sys.stdin, server], [], [])
    for sock in ready:
        if sock == server:
            message = sock.recv(2048)
            print(message.decode(), flush=True)
        else:
            message = sys.stdin.readline()
            server.send(message.encode())
            sys.stdout.write("<You>")
            sys.stdout.write(message)
            sys.stdout.flush()
