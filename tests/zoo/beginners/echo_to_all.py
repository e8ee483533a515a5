# S4 with socketserver. A message goes to everybody.
import re
import socketserver
import sys
import threading

people = {}  # name -> handler
lock = threading.Lock()


class Chat(socketserver.StreamRequestHandler):
    name = None

    def say(self, text):
        try:
            self.wfile.write(text.encode() + b"\n")
        except OSError:
            pass

    def handle(self):
        print("%s:%d connected" % self.client_address, flush=True)
        self.say("NICK")
        try:
            for raw in self.rfile:
                text = raw.decode(errors="replace").strip()
                if text == "exit":
                    break
                if text and raw.endswith(b"\n"):
                    with lock:
                        self.line(text)
        except OSError:
            pass

    def line(self, text):
        if self.name:
            print("[%s]:%d => %s" % (*self.client_address, text), flush=True)
            tell_all(self.name + ": " + text)
        elif not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,19}", text):
            self.say("! bad name\nNICK")
        elif text.lower() in map(str.lower, people):
            self.say("! name taken: " + text + "\nNICK")
        else:
            tell_all("* %s joined" % text)
            people[text] = self
            self.name = text
            self.say("* welcome %s: %d here (%s)" % (text, len(people), ", ".join(people)))

    def finish(self):
        with lock:
            if self.name:
                del people[self.name]
                tell_all("* %s left" % self.name)


def tell_all(text):
    for person in people.values():
        person.say(text)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


with Server((sys.argv[1], int(sys.argv[2])), Chat) as server:
    print("listening on %s:%s" % (sys.argv[1], sys.argv[2]), flush=True)
    server.serve_forever()
