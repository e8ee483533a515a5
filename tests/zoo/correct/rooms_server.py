"""A chat with rooms, commands and roles (stage 5), with asyncio.

Speaks S5 of the protocol, the limits (S5.9) and the orderly end (S5.10) included.
One thread: whatever happens between two `await`s happens at once, so that the rooms
need no lock. Each client has one task that reads and one that writes.

    python3 rooms_server.py 127.0.0.1 8005 [--max-rooms N] [--admin-password-file FILE] ...
"""

import argparse
import asyncio
import difflib
import errno
import hmac
import re
import signal
import socket
import sys
import time

LINE_BYTES = 2048  # L3, the line's end included
ANSWER_BYTES = 8000  # L3 allows a server's line 8192
READ_BYTES = 16 * 1024
UNREAD_BYTES = 64 * 1024  # lines that wait for their turn (S5.9) before we stop reading
FAREWELL_SECONDS = 5.0  # L10, S5.10
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,19}")
ROOM = re.compile(r"#[A-Za-z0-9_-]{1,30}")
TROUBLE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029"
    "\U000e0000-\U000e007f]"
)

HELP = {
    "admin": "PASSWORD - do everywhere what an operator may",
    "ban": "NAME|IP - remove and keep out",
    "bans": "- who is kept out",
    "deop": "NAME - take the operator's right away",
    "exit": "- end the connection",
    "help": "[COMMAND] - this list",
    "join": "#ROOM [KEY] - enter a room, or return to it",
    "key": "[KEY] - ask for a key at the door, or no longer",
    "kick": "NAME [REASON] - remove from the room",
    "leave": "[#ROOM] - leave a room",
    "limit": "[N] - at most N members, or any number",
    "me": "TEXT - tell what you do",
    "msg": "NAME TEXT - tell one person alone",
    "mute": "NAME - let a member's words reach nobody",
    "nick": "NAME - change your name",
    "op": "NAME - share the operator's right",
    "quit": "[REASON] - end the connection",
    "rooms": "- the rooms there are",
    "topic": "[TEXT] - read or set the topic",
    "unban": "NAME|IP - let in again",
    "unmute": "NAME - let a member speak again",
    "who": "[#ROOM] - who is there",
}


class Refused(Exception):
    """What a client asked for cannot be done; the text says why."""


def cleaned(text):
    """L5 and L6."""
    return TROUBLE.sub("\ufffd", text).strip(" \t")


def shortened(words, room_bytes=ANSWER_BYTES):
    """Joins words with commas, as many as fit into one line."""
    taken, size = [], 0
    for word in words:
        size += len(word.encode()) + 2
        if size > room_bytes:
            return ", ".join(taken) + f", and {len(words) - len(taken)} more"
        taken.append(word)
    return ", ".join(taken)


class Lines:
    """Cuts bytes into lines (L1, L2, L3): each is bytes, or None for one that was too long."""

    def __init__(self):
        self.rest = bytearray()
        self.skipping = False

    def feed(self, data):
        lines = []
        while data:
            head, newline, data = data.partition(b"\n")
            if self.skipping:
                self.skipping = not newline
                continue
            self.rest += head
            if len(self.rest) + len(newline) > LINE_BYTES or (
                not newline and len(self.rest) >= LINE_BYTES
            ):
                lines.append(None)
                self.rest.clear()
                self.skipping = not newline
            elif newline:
                line = bytes(self.rest)
                lines.append(line[:-1] if line.endswith(b"\r") else line)
                self.rest.clear()
        return lines


class Room:
    def __init__(self, name):
        self.name = name
        self.members = []  # in the order in which they came
        self.operators = set()
        self.muted = set()  # who has left and comes back is still muted
        self.bans = {}  # folded -> as it was given
        self.topic = ""
        self.key = None
        self.limit = 0

    @property
    def is_lobby(self):
        return self.name == "#lobby"

    def tell(self, text, but=None):
        line = f"[{self.name}] {text}\n".encode()
        for member in list(self.members):
            if member is not but:
                member.send_bytes(line)


class Client:
    def __init__(self, server, reader, writer):
        self.server = server
        self.reader = reader
        self.writer = writer
        self.ip, self.port = writer.get_extra_info("peername")[:2]
        self.name = None
        self.admin = False
        self.rooms = []  # in the order in which they were joined
        self.room = None  # the current one
        self.gone = False
        self.lines = Lines()
        self.waiting = []  # lines that were read and not yet obeyed
        self.owed = bytearray()
        self.wake_writer = asyncio.Event()
        self.tokens = 2.0 * server.limits.lines_per_second
        self.filled_at = time.monotonic()
        self.wrong_passwords = 0

    # -- what goes to the client ---------------------------------------------------------

    def send(self, text):
        self.send_bytes(text.encode() + b"\n")

    def send_bytes(self, line):
        if self.gone:
            return
        most = self.server.limits.bytes_owed
        if most and len(self.owed) + len(line) > most:
            self.owed += b"! you read too slowly (--bytes-owed)\n"
            self.wake_writer.set()
            self.server.goodbye(self, "read too slowly")
            self.reading.cancel()
            return
        self.owed += line
        self.wake_writer.set()

    async def write_what_is_owed(self):
        """Ends after `gone` was set and everything was written, or when writing fails."""
        try:
            while True:
                await self.wake_writer.wait()
                self.wake_writer.clear()
                while self.owed:
                    piece = bytes(self.owed[: 64 * 1024])
                    self.writer.write(piece)
                    await self.writer.drain()
                    del self.owed[: len(piece)]
                if self.gone:
                    return
        except OSError:
            return

    # -- what comes from the client ------------------------------------------------------

    async def next_line(self):
        """The next complete line, or EOFError at the end of the stream."""
        while not self.waiting:
            data = await self.reader.read(READ_BYTES)
            if not data:
                raise EOFError
            self.waiting = self.lines.feed(data)
        await self.turn()
        return self.waiting.pop(0)

    async def turn(self):
        """Waits until this client may speak again (S5.9)."""
        rate = self.server.limits.lines_per_second
        if not rate:
            return
        while True:
            if self.reader.exception():  # a reset drops the lines that wait (L9)
                raise self.reader.exception()
            now = time.monotonic()
            self.tokens = min(2.0 * rate, self.tokens + (now - self.filled_at) * rate)
            self.filled_at = now
            if self.tokens >= 1:
                self.tokens -= 1
                return
            await asyncio.sleep((1 - self.tokens) / rate)

    async def next_text(self):
        """The next line that is worth an answer."""
        while True:
            line = await self.next_line()
            try:
                if line is None:
                    raise Refused(f"that line is longer than {LINE_BYTES} bytes")
                text = cleaned(line.decode())
            except UnicodeDecodeError:
                text = None
            except Refused as why:
                return why
            if text is None:
                return Refused("I only understand UTF-8")
            if text:
                return text


class Server:
    def __init__(self, limits, password):
        self.limits = limits
        self.password = password
        self.clients = set()
        self.names = {}  # folded -> Client
        self.per_address = {}
        self.buckets = {}  # address: connections left, and when that was so
        self.lobby = Room("#lobby")
        self.rooms = {"#lobby": self.lobby}
        self.tasks = set()
        self.stopping = False

    # -- connections ---------------------------------------------------------------------

    async def accept_all(self, listener):
        loop = asyncio.get_running_loop()
        pause = 0.05
        told = False
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    if not told:
                        print(f"no descriptors left, waiting: {error}", file=sys.stderr, flush=True)
                        told = True
                    await asyncio.sleep(pause)
                    pause = min(1.0, pause * 2)
                continue
            pause, told = 0.05, False
            task = asyncio.create_task(self.serve(connection))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader, writer = await asyncio.open_connection(sock=connection, limit=UNREAD_BYTES)
            client = Client(self, reader, writer)
        except (OSError, TypeError):
            connection.close()
            return
        full = self.no_place_for(client.ip)
        if full:
            client.send(f"! {full}")
            client.gone = True
            await self.farewell(client, asyncio.create_task(client.write_what_is_owed()))
            return
        self.clients.add(client)
        self.per_address[client.ip] = self.per_address.get(client.ip, 0) + 1
        print(f"{client.ip}:{client.port} connected", flush=True)
        writing = asyncio.create_task(client.write_what_is_owed())
        client.reading = asyncio.create_task(self.converse(client))
        await asyncio.wait([client.reading, writing], return_when=asyncio.FIRST_COMPLETED)
        client.reading.cancel()
        self.goodbye(client)
        client.wake_writer.set()
        await self.farewell(client, writing)

    async def farewell(self, client, writing):
        """Sends what is owed, half-closes, and reads on so that no reset destroys it (L10)."""
        client.wake_writer.set()

        async def politely():
            await writing
            if client.writer.can_write_eof():
                client.writer.write_eof()
            while await client.reader.read(READ_BYTES):
                pass

        try:
            await asyncio.wait_for(politely(), FAREWELL_SECONDS)
        except (OSError, asyncio.TimeoutError):
            client.writer.transport.abort()
        client.writer.close()

    def no_place_for(self, ip):
        most = self.limits.max_clients
        if most and len(self.clients) >= most:
            return f"the server is full: {most} clients (--max-clients)"
        most = self.limits.clients_per_address
        if most and self.per_address.get(ip, 0) >= most:
            return f"there are {most} clients from {ip} already (--clients-per-address)"
        return self.too_often(ip)

    def too_often(self, ip):
        """Each address has a bucket of connections that fills again by the minute."""
        most = self.limits.connects_per_minute
        if most == 0:
            return None
        now = time.monotonic()
        left, since = self.buckets.get(ip, (most, now))
        left = min(most, left + (now - since) * most / 60)
        if left < 1:
            self.buckets[ip] = (left, now)
            return f"{ip} connects too often (--connects-per-minute)"
        self.buckets[ip] = (left - 1, now)
        return None

    def goodbye(self, client, reason=""):
        """Forgets a client; its owed bytes may still be on their way."""
        if client.gone:
            return
        client.gone = True
        self.clients.discard(client)
        self.per_address[client.ip] -= 1
        if not self.per_address[client.ip]:
            del self.per_address[client.ip]
        for room in list(client.rooms):
            self.take_out(client, room)
            words = f"* {client.name} left" + (f": {reason}" if reason else "")
            room.tell(words)
            self.after_leaving(room)
        if client.name:
            del self.names[client.name.lower()]
        for room in self.rooms.values():
            room.muted.discard(client)
        print(f"{client.ip}:{client.port} disconnected", flush=True)

    # -- the conversation ----------------------------------------------------------------

    async def converse(self, client):
        reason = ""
        try:
            wait = self.limits.seconds_to_register or None
            await asyncio.wait_for(self.register(client), wait)
            while True:
                text = await client.next_text()
                if text == "exit":
                    break
                try:
                    if isinstance(text, Refused):
                        raise text
                    reason = await self.obey(client, text)
                    if reason is not None:
                        break
                except Refused as why:
                    client.send(f"! {why}")
        except asyncio.TimeoutError:
            client.send(f"! no name after {self.limits.seconds_to_register} s (--seconds-to-register)")
        except (EOFError, OSError):
            pass
        self.goodbye(client, reason or "")

    async def register(self, client):
        client.send("NICK")
        while True:
            name = await client.next_text()
            if name == "exit":
                raise EOFError
            try:
                if isinstance(name, Refused):
                    raise name
                self.take_name(client, name)
                break
            except Refused as why:
                client.send(f"! {why}")
                client.send("NICK")
        try:
            self.enter(client, self.lobby, None, quiet=True)
            others = len(self.lobby.members) - 1
            where = f"you are in #lobby with {others} others"
        except Refused as why:
            client.send(f"* welcome {name}: you are in no room; /help lists the commands")
            client.send(f"! {why}")
            return
        client.send(f"* welcome {name}: {where}; /help lists the commands")
        client.send("* be kind, and enjoy your stay")

    def take_name(self, client, name):
        if not NAME.fullmatch(name):
            raise Refused("bad name: 1 to 20 letters, digits, _ and -, a letter first")
        holder = self.names.get(name.lower())
        if holder not in (None, client):
            raise Refused(f"name taken: {name}")
        if client.name:
            del self.names[client.name.lower()]
        client.name = name
        self.names[name.lower()] = client

    async def obey(self, client, text):
        """Does what a line asks for. Returns a reason (a str) when the client wants to go."""
        if text.startswith("//"):
            return self.say(client, text[1:])
        if text.startswith("@"):
            name, colon, words = text[1:].partition(":")
            if not colon:
                raise Refused("write @NAME:TEXT")
            return self.private(client, name.strip(" \t"), words.strip(" \t"))
        if text.startswith("#"):
            raise Refused("to enter a room: /join #ROOM")
        if not text.startswith("/"):
            return self.say(client, text)
        word, rest = (re.split("[ \t]+", text[1:], maxsplit=1) + [""])[:2]
        command = word.lower()
        if command not in HELP:
            near = difflib.get_close_matches(command, HELP, 1, 0.0)[0]
            raise Refused(f"/{word[:40]} is no command; did you mean /{near}?")
        if command in ("quit", "exit"):
            if any(client in room.muted for room in client.rooms):
                rest = ""
            return rest
        result = getattr(self, "do_" + command)(client, rest)
        if asyncio.iscoroutine(result):
            await result
        return None

    def say(self, client, text, form="{}: {}"):
        room = self.current(client)
        if client in room.muted:
            raise Refused(f"you are muted in {room.name}")
        print(f"[{client.ip}]:{client.port} => {text}", flush=True)
        room.tell(form.format(client.name, text), but=client)

    def private(self, client, name, text):
        other = self.person(name)
        if not text:
            raise Refused("there is nothing to tell")
        other.send(f"[private] {client.name}: {text}")

    # -- looking things up ---------------------------------------------------------------

    def current(self, client):
        if client.room is None:
            raise Refused("you are in no room: /join #ROOM")
        return client.room

    def person(self, name):
        if name.lower() not in self.names:
            raise Refused(f"nobody here is called {name[:40]}")
        return self.names[name.lower()]

    def member(self, room, name):
        if not name:
            raise Refused("say whom")
        other = self.person(name)
        if other not in room.members:
            raise Refused(f"{other.name} is not in {room.name}")
        return other

    def commanded(self, client):
        """The current room, if the client may decide there."""
        room = self.current(client)
        if client not in room.operators and not client.admin:
            raise Refused(f"only an operator of {room.name} may do that")
        return room

    # -- entering and leaving ------------------------------------------------------------

    def enter(self, client, room, key, quiet=False):
        if not client.admin:
            if client.name.lower() in room.bans or client.ip in room.bans:
                raise Refused(f"you are banned from {room.name}")
            if room.key is not None and key != room.key:
                raise Refused(f"{room.name} asks for its key: /join {room.name} KEY")
            if room.limit and len(room.members) >= room.limit:
                raise Refused(f"{room.name} is full ({room.limit})")
        room.tell(f"* {client.name} joined")
        if not room.members and not room.is_lobby:
            room.operators.add(client)
        room.members.append(client)
        client.rooms.append(room)
        client.room = room
        if not quiet:
            client.send(f"* now in {room.name}: {shortened([m.name for m in room.members])}")
            if room.topic:
                client.send(f"* its topic: {room.topic}")

    def take_out(self, client, room):
        room.members.remove(client)
        room.operators.discard(client)
        client.rooms.remove(room)
        if client.room is room:
            client.room = client.rooms[-1] if client.rooms else None

    def after_leaving(self, room):
        if room.is_lobby:
            return
        if not room.members:
            self.rooms.pop(room.name.lower(), None)
        elif not room.operators:
            self.promote(room, room.members[0])

    def promote(self, room, member):
        room.operators.add(member)
        room.tell(f"* {member.name} is now an operator")

    def where_now(self, client):
        if client.gone:
            return
        client.send(f"* you now speak in {client.room.name}" if client.room else "* you are in no room now")

    # -- commands for everyone -----------------------------------------------------------

    def do_help(self, client, rest):
        wanted = rest.lstrip("/").lower()
        if wanted and wanted not in HELP:
            raise Refused("no such command; /help lists them")
        for command in [wanted] if wanted else HELP:
            client.send(f"* /{command} {HELP[command]}")

    def do_join(self, client, rest):
        words = rest.split()
        if not words or not ROOM.fullmatch(words[0]) or len(words) > 2:
            raise Refused("write /join #ROOM [KEY]; a room has 1 to 30 letters, digits, _ and -")
        folded = words[0].lower()
        room = self.rooms.get(folded)
        if room in client.rooms:
            client.room = room
            client.send(f"* back in {room.name}")
            return
        most = self.limits.rooms_per_client
        if folded != "#lobby" and most and sum(not r.is_lobby for r in client.rooms) >= most:
            raise Refused(f"you are in {most} rooms already (--rooms-per-client)")
        if room is None:
            most = self.limits.max_rooms
            if most and len(self.rooms) - 1 >= most:
                raise Refused(f"there are {most} rooms already (--max-rooms)")
            room = Room(words[0])
        self.enter(client, room, words[1] if len(words) == 2 else None)
        self.rooms[folded] = room

    def do_leave(self, client, rest):
        room = self.current(client)
        if rest:
            room = self.rooms.get(rest.lower())
            if room not in client.rooms:
                raise Refused("you are not in that room")
        room.tell(f"* {client.name} left", but=client)
        self.take_out(client, room)
        client.send(f"* you left {room.name}")
        self.after_leaving(room)
        self.where_now(client)

    def do_rooms(self, client, _):
        client.send("* rooms: " + shortened([f"{r.name} ({len(r.members)})" for r in self.rooms.values()]))

    def do_who(self, client, rest):
        room = self.rooms.get(rest.lower()) if rest else self.current(client)
        if room is None:
            raise Refused("there is no such room")
        if room.key is not None and client not in room.members and not client.admin:
            raise Refused(f"{room.name} has a key, and is nobody else's business")
        names = [("@" if m in room.operators else "") + m.name for m in room.members]
        client.send(f"* in {room.name}: {shortened(names)}")

    def do_nick(self, client, rest):
        old = client.name
        for room in client.rooms:
            if rest.lower() in room.bans and not client.admin:
                raise Refused(f"that name is banned from {room.name}")
        self.take_name(client, rest)
        client.send(f"* you are now {rest}")
        for room in client.rooms:
            room.tell(f"* {old} is now {rest}", but=client)

    def do_msg(self, client, rest):
        name, text = (re.split("[ \t]+", rest, maxsplit=1) + [""])[:2]
        self.private(client, name, text)

    def do_me(self, client, rest):
        if not rest:
            raise Refused("write /me TEXT")
        self.say(client, rest, "{} ~ {}")

    def do_topic(self, client, rest):
        if not rest:
            room = self.current(client)
            client.send(f"* topic of {room.name}: {room.topic or '(none)'}")
            return
        room = self.commanded(client)
        if client in room.muted:
            raise Refused(f"you are muted in {room.name}")
        most = self.limits.topic_bytes
        if most and len(rest.encode()) > most:
            raise Refused(f"a topic has at most {most} bytes (--topic-bytes)")
        room.topic = rest
        room.tell(f"* {client.name} set the topic: {rest}")

    async def do_admin(self, client, rest):
        if not self.password:
            raise Refused("this server has no admins")
        if not hmac.compare_digest(rest.encode(), self.password.encode()):
            client.wrong_passwords += 1
            print(f"wrong admin password from {client.ip}:{client.port}", file=sys.stderr, flush=True)
            await asyncio.sleep(min(8, 2 ** (client.wrong_passwords - 1)))
            raise Refused("that is not the password")
        client.admin = True
        client.send("* you are an admin now")

    # -- commands for operators ----------------------------------------------------------

    def do_kick(self, client, rest, done="kicked"):
        room = self.commanded(client)
        name, reason = (re.split("[ \t]+", rest, maxsplit=1) + [""])[:2]
        other = self.member(room, name)
        if client in room.muted:
            reason = ""
        self.throw_out(client, room, other, done, reason)

    def throw_out(self, client, room, other, done, reason=""):
        room.tell(f"* {other.name} was {done} by {client.name}" + (f": {reason}" if reason else ""))
        self.take_out(other, room)
        self.after_leaving(room)
        self.where_now(other)

    def do_ban(self, client, rest):
        room = self.commanded(client)
        if not rest or len(rest.split()) != 1:
            raise Refused("write /ban NAME or /ban IP")
        is_name = NAME.fullmatch(rest)
        if not is_name and not re.fullmatch(r"[0-9a-fA-F:.]+", rest):
            raise Refused("that is neither a name nor an address")
        most = self.limits.bans_per_room
        if most and len(room.bans) >= most and rest.lower() not in room.bans:
            raise Refused(f"{room.name} has {most} bans already (--bans-per-room)")
        room.bans[rest.lower()] = rest
        client.send(f"* {rest} is banned from {room.name}")
        if is_name:
            hit = [m for m in room.members if m.name.lower() == rest.lower()]
        else:
            hit = [m for m in room.members if m.ip == rest and m is not client]
        for other in hit:
            self.throw_out(client, room, other, "banned")

    def do_unban(self, client, rest):
        room = self.commanded(client)
        if room.bans.pop(rest.lower(), None) is None:
            raise Refused("there is no such ban")
        client.send(f"* {rest} may enter {room.name} again")

    def do_bans(self, client, _):
        room = self.commanded(client)
        client.send(f"* banned from {room.name}: {shortened(list(room.bans.values())) or 'nobody'}")

    def do_op(self, client, rest):
        room = self.commanded(client)
        if room.is_lobby:
            raise Refused("#lobby has no operator")
        other = self.member(room, rest)
        if other in room.operators:
            raise Refused(f"{other.name} is an operator already")
        self.promote(room, other)

    def do_deop(self, client, rest):
        room = self.commanded(client)
        other = self.member(room, rest)
        if other not in room.operators:
            raise Refused(f"{other.name} is no operator")
        if len(room.members) == 1:
            client.send("* alone, you stay operator")
            return
        room.operators.discard(other)
        room.tell(f"* {other.name} is no longer an operator")
        if not room.operators:
            self.promote(room, next(m for m in room.members if m is not other))

    def do_mute(self, client, rest):
        room = self.commanded(client)
        other = self.member(room, rest)
        room.muted.add(other)
        room.tell(f"* {other.name} was muted by {client.name}")

    def do_unmute(self, client, rest):
        room = self.commanded(client)
        other = self.member(room, rest)
        if other not in room.muted:
            raise Refused(f"{other.name} is not muted")
        room.muted.discard(other)
        room.tell(f"* {other.name} may speak again")

    def do_key(self, client, rest):
        room = self.commanded(client)
        if len(rest.split()) > 1:
            raise Refused("a key is one word")
        room.key = rest or None
        room.tell("* a key is needed now" if rest else "* no key is needed any more")

    def do_limit(self, client, rest):
        room = self.commanded(client)
        if rest and not re.fullmatch("[0-9]{1,6}", rest):
            raise Refused("write /limit N")
        room.limit = int(rest or 0)
        room.tell(f"* at most {room.limit} members" if room.limit else "* any number of members")

    # -- the end -------------------------------------------------------------------------

    async def shut_down(self):
        for client in list(self.clients):
            if client.name:
                client.send("* the server is shutting down")
            client.gone = True
            client.reading.cancel()
            client.wake_writer.set()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=FAREWELL_SECONDS)


def arguments():
    parser = argparse.ArgumentParser(description="a chat with rooms")
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("port", nargs="?", type=int, default=8005)
    parser.add_argument("--admin-password-file")
    for flag, usual in [
        ("max-clients", 0), ("clients-per-address", 250), ("max-rooms", 1000),
        ("rooms-per-client", 20), ("bans-per-room", 100), ("topic-bytes", 300),
        ("lines-per-second", 20), ("seconds-to-register", 60), ("bytes-owed", 1048576),
        ("connects-per-minute", 120),
    ]:
        parser.add_argument(f"--{flag}", type=int, default=usual, metavar="N")
    return parser.parse_args()


async def main():
    limits = arguments()
    password = None
    try:
        if limits.admin_password_file:
            with open(limits.admin_password_file, encoding="utf-8") as file:
                password = file.read().strip()
        family = socket.AF_INET6 if ":" in limits.host else socket.AF_INET
        listener = socket.create_server((limits.host, limits.port), family=family, backlog=1024)
    except OSError as error:
        print(f"cannot start on {limits.host}:{limits.port}: {error}; try another port", file=sys.stderr)
        return 1
    listener.setblocking(False)
    server = Server(limits, password)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    accepting = asyncio.create_task(server.accept_all(listener))
    host, port = listener.getsockname()[:2]
    print(f"listening on {'[' + host + ']' if ':' in host else host}:{port}", flush=True)
    await stop.wait()
    accepting.cancel()
    listener.close()
    await server.shut_down()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
