"""%task%

Run it:    cargo run -p stage4-threads -- server 127.0.0.1 8004
           and in another terminal: python3 client.py 127.0.0.1 8004
Check it:  %check%
Read:      %page% (the task, its rules, hints)
"""

import socket
import sys


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    server = socket.create_connection((host, port))
    # BEGIN HERE.
    %steps%
    while True:
        print(server.recv(1024), flush=True)
        line = sys.stdin.readline()
        server.sendall(line.encode())


main()
