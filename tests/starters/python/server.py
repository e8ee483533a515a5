"""%task%

Run it:    python3 server.py 127.0.0.1 8000     and in another terminal: nc 127.0.0.1 8000
Check it:  %check%
Read:      %page% (the task, its rules, hints)
"""

import socket
import sys


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    listener = socket.create_server((host, port))
    # The lab waits for this line. Without flush it would stay in Python's buffer.
    print("listening on %s:%d" % listener.getsockname(), flush=True)
    while True:
        client, (ip, client_port) = listener.accept()
        print(f"{ip}:{client_port} connected", flush=True)
        serve(client)


def serve(client):
    # BEGIN HERE.
    %steps%
    while True:
        data = client.recv(2048)  # some bytes: half a line perhaps, or three lines
        if not data:
            break
        print("received", data, flush=True)
    client.close()


main()
