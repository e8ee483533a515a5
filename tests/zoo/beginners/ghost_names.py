# S3 with asyncio. The table of names is never cleaned.
import asyncio
import re
import sys

users = {}


async def serve(reader, writer):
    def say(text, to=writer):
        to.write((text + "\n").encode())

    me = None
    say("You are connected from: %s:%d" % writer.get_extra_info("peername"))
    try:
        while True:
            text = (await reader.readuntil()).decode(errors="replace").strip()
            if text == "exit":
                break
            if text.startswith("#"):
                name = text[1:]
                if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,19}", name):
                    say("! bad name")
                elif users.get(name.lower(), writer) is not writer:
                    say("! name taken: " + name)
                else:
                    if me:
                        del users[me.lower()]
                    me = name
                    users[name.lower()] = writer
                    print("User", name, "added.", flush=True)
                    say("Your user detail saved as: " + name)
            elif text.startswith("@") and ":" in text:
                user, words = text[1:].split(":", 1)
                if not me:
                    say("! register first")
                elif not words.strip():
                    say("! no text")
                elif user.strip().lower() not in users:
                    say("! no such user")
                else:
                    say(me + ": " + words.strip(), users[user.strip().lower()])
            elif text:
                say("! what?")
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]), limit=2048)
    print("listening on %s:%s" % (sys.argv[1], sys.argv[2]), flush=True)
    await server.serve_forever()


asyncio.run(main())
