"""The client of document 002, in Python 3.   Usage: client_002.py HOST PORT [mended]

Kept as it is: it reads once, asks its user once, and so on in turns. `mended` ends every message
with LF: the next thing that is wrong shows only then.
"""

import socket
import sys

end = "\n" if "mended" in sys.argv else ""

client = socket.socket()
client.connect((sys.argv[1], int(sys.argv[2])))
print(client.recv(1024).decode(), flush=True)
name = input("Enter your user name(prefix with #):")
client.send((name + end).encode())
while True:
    print(client.recv(1024).decode(), flush=True)
    message = input("Send your message in format [@user:message]")
    if message == "exit":
        break
    client.send((message + end).encode())
client.close()
