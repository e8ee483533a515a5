"""The client of document 002, in Python 3.   Usage: client_002.py HOST PORT

Kept as it is: it reads once, asks its user once, and so on in turns.
"""

import socket
import sys

client = socket.socket()
client.connect((sys.argv[1], int(sys.argv[2])))
print(client.recv(1024).decode(), flush=True)
client.send(input("Enter your user name(prefix with #):").encode())
while True:
    print(client.recv(1024).decode(), flush=True)
    message = input("Send your message in format [@user:message]")
    if message == "exit":
        break
    client.send(message.encode())
client.close()
