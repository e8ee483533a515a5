// A chat (S4: what one says, all others hear) with two threads for each client: one reads,
// one writes. The writer takes from the client's own queue, so that a client that does not
// read delays nobody. One lock, the room's, decides in which order things happened.
//
//     java ChatServer.java HOST PORT

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

public class ChatServer {
    static final int LINE_BYTES_MAX = 2048; // L3, the line's end included
    static final int WELCOME_BYTES_MAX = 8000; // L3 allows a server's line 8192
    static final int OWED_BYTES_MAX = 1024 * 1024; // L13
    static final int FAREWELL_MS = 5000; // L10
    static final long STACK_BYTES = 128 * 1024; // a thread is cheap when its stack is

    /** Everybody who has a name, by that name in lower case. Also the lock of the room. */
    static final Map<String, Client> members = new LinkedHashMap<>();

    static class Client {
        final Socket socket;
        final String address;
        final ArrayDeque<byte[]> owed = new ArrayDeque<>(); // its own lock
        int owedBytes = 0;
        boolean closing = false; // nothing more is put into `owed`
        String name; // changed only by the reader, under the room's lock

        Client(Socket socket) {
            this.socket = socket;
            InetAddress ip = socket.getInetAddress();
            this.address = ip.getHostAddress() + ":" + socket.getPort();
        }

        void send(String line) {
            send((line + "\n").getBytes(StandardCharsets.UTF_8));
        }

        void send(byte[] line) {
            synchronized (owed) {
                if (closing) {
                    return;
                }
                if (owedBytes + line.length > OWED_BYTES_MAX) {
                    closing = true;
                    closeQuietly(socket); // wakes the reader and the writer
                } else {
                    owed.add(line);
                    owedBytes += line.length;
                }
                owed.notify();
            }
        }

        void noMore() {
            synchronized (owed) {
                closing = true;
                owed.notify();
            }
        }

        /** The writer's thread: everything that is owed leaves in one write. */
        void write() {
            try {
                OutputStream out = socket.getOutputStream();
                while (true) {
                    ByteArrayOutputStream batch = new ByteArrayOutputStream();
                    synchronized (owed) {
                        while (owed.isEmpty() && !closing) {
                            owed.wait();
                        }
                        if (owed.isEmpty()) {
                            break;
                        }
                        while (!owed.isEmpty()) {
                            batch.writeBytes(owed.poll());
                        }
                    }
                    batch.writeTo(out);
                    synchronized (owed) {
                        owedBytes -= batch.size();
                    }
                }
                socket.shutdownOutput();
            } catch (IOException | InterruptedException e) {
                noMore();
                closeQuietly(socket);
            }
        }

        /** The reader's thread: from the greeting to the end. */
        void serve() {
            Thread writer = new Thread(null, this::write, address + " writer", STACK_BYTES);
            writer.start();
            try {
                send("NICK");
                read();
            } catch (IOException e) {
                System.err.println(address + ": " + e.getMessage());
            }
            leave();
            noMore();
            try {
                socket.setSoTimeout(FAREWELL_MS);
                byte[] ignored = new byte[4096];
                InputStream in = socket.getInputStream();
                long deadline = System.nanoTime() + FAREWELL_MS * 1_000_000L;
                while (in.read(ignored) >= 0 && System.nanoTime() < deadline) {
                    // unread bytes would turn our close into a reset
                }
                writer.join(FAREWELL_MS);
            } catch (IOException | InterruptedException e) {
                // it has gone, or will not go: in both cases we are done
            }
            closeQuietly(socket);
        }

        void read() throws IOException {
            InputStream in = socket.getInputStream();
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            boolean skipping = false;
            byte[] bytes = new byte[4096];
            int count;
            while ((count = in.read(bytes)) >= 0) {
                for (int i = 0; i < count; i++) {
                    if (bytes[i] == '\n') {
                        if (!skipping && !take(line.toByteArray())) {
                            return;
                        }
                        skipping = false;
                        line.reset();
                    } else if (!skipping) {
                        line.write(bytes[i]);
                        if (line.size() >= LINE_BYTES_MAX) {
                            skipping = true;
                            line.reset();
                            refuse("too long: a line may have " + LINE_BYTES_MAX + " bytes");
                        }
                    }
                }
            }
        }

        /** Obeys one line. False when it was the last one. */
        boolean take(byte[] line) {
            int length = line.length;
            if (length > 0 && line[length - 1] == '\r') {
                length--;
            }
            String text;
            try {
                text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line, 0, length)).toString();
            } catch (CharacterCodingException e) {
                refuse("please send UTF-8");
                return true;
            }
            text = trim(visible(text));
            if (text.equals("exit")) {
                return false;
            }
            if (name == null && text.matches("\\S+ \\S+ HTTP/.*")) {
                send("! there are no pages here");
                return false;
            }
            if (!text.isEmpty()) {
                if (name == null) {
                    enter(text);
                } else {
                    say(text);
                }
            }
            return true;
        }

        void refuse(String why) {
            send("! " + why);
            if (name == null) {
                send("NICK");
            }
        }

        void enter(String wanted) {
            if (!wanted.matches("[A-Za-z][A-Za-z0-9_-]{0,19}")) {
                refuse("no name: 1 to 20 letters, digits, '_' or '-', and a letter first");
                return;
            }
            synchronized (members) {
                if (members.putIfAbsent(wanted.toLowerCase(Locale.ROOT), this) != null) {
                    refuse(wanted + " is in use, choose another name");
                    return;
                }
                name = wanted;
                send(welcome());
                broadcast("* " + name + " joined");
            }
        }

        String welcome() {
            StringBuilder names = new StringBuilder();
            int shown = 0;
            for (Client member : members.values()) {
                if (names.length() + member.name.length() > WELCOME_BYTES_MAX) {
                    names.append(", and ").append(members.size() - shown).append(" more");
                    break;
                }
                names.append(shown++ == 0 ? "" : ", ").append(member.name);
            }
            return "* welcome " + name + ": " + members.size() + " here (" + names + ")";
        }

        void say(String text) {
            synchronized (members) {
                broadcast(name + ": " + text);
            }
            int colon = address.lastIndexOf(':');
            log("[" + address.substring(0, colon) + "]" + address.substring(colon) + " => " + text);
        }

        void leave() {
            synchronized (members) {
                if (name != null && members.remove(name.toLowerCase(Locale.ROOT), this)) {
                    broadcast("* " + name + " left");
                }
            }
        }

        void broadcast(String line) {
            byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
            for (Client member : members.values()) {
                if (member != this) {
                    member.send(bytes);
                }
            }
        }
    }

    /** L5: what could steer or confuse a terminal becomes U+FFFD. */
    static String visible(String text) {
        StringBuilder shown = new StringBuilder(text.length());
        text.codePoints().forEach(c -> shown.appendCodePoint(isTrouble(c) ? 0xFFFD : c));
        return shown.toString();
    }

    static boolean isTrouble(int c) {
        return (Character.isISOControl(c) && c != '\t')
                || c == 0x61C || c == 0x200E || c == 0x200F || c == 0x2028 || c == 0x2029
                || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)
                || (c >= 0xE0000 && c <= 0xE007F);
    }

    /** L6: spaces and tabs only; String.trim would take more. */
    static String trim(String text) {
        return text.replaceAll("^[ \\t]+|[ \\t]+$", "");
    }

    static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // closed already
        }
    }

    static synchronized void log(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static void acceptAll(ServerSocket server) throws InterruptedException {
        long pause = 0; // milliseconds
        while (true) {
            try {
                Socket socket = server.accept();
                pause = 0;
                socket.setTcpNoDelay(true);
                Client client = new Client(socket);
                log(client.address + " connected");
                new Thread(null, client::serve, client.address + " reader", STACK_BYTES).start();
            } catch (IOException e) {
                if (pause == 0) {
                    System.err.println("cannot accept for now: " + e.getMessage());
                }
                pause = Math.min(1000, Math.max(50, pause * 2));
                Thread.sleep(pause);
            }
        }
    }

    public static void main(String[] args) throws InterruptedException {
        int port = -1;
        if (args.length == 2 && args[1].matches("[0-9]{1,5}")) {
            port = Integer.parseInt(args[1]);
        }
        if (port < 0 || port > 65535) {
            System.err.println("usage: java ChatServer.java HOST PORT");
            System.exit(2);
        }
        try (ServerSocket server = new ServerSocket()) {
            server.bind(new InetSocketAddress(args[0], port), 1024);
            String host = server.getInetAddress().getHostAddress();
            log("listening on " + (host.contains(":") ? "[" + host + "]" : host) + ":" + server.getLocalPort());
            acceptAll(server);
        } catch (IOException e) {
            System.err.println("cannot listen on " + args[0] + ":" + args[1] + ": " + e.getMessage() + "; try another port");
            System.exit(1);
        }
    }
}
