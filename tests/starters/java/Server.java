// %task%
//
// Build it:  javac Server.java
// Run it:    java Server 127.0.0.1 8000     and in another terminal: nc 127.0.0.1 8000
// Check it:  %check%
// Read:      %page% (the task, its rules, hints)

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

public class Server {
    public static void main(String[] arguments) throws IOException {
        InetAddress host = InetAddress.getByName(arguments[0]);
        int port = Integer.parseInt(arguments[1]);
        try (ServerSocket listener = new ServerSocket(port, 128, host)) {
            // The lab waits for this line.
            System.out.println("listening on " + arguments[0] + ":" + listener.getLocalPort());
            while (true) {
                serve(listener.accept());
            }
        }
    }

    static void serve(Socket client) {
        // BEGIN HERE.
        %steps%
        try (client) {
            InputStream in = client.getInputStream();
            byte[] bytes = new byte[2048];
            int count;
            while ((count = in.read(bytes)) > 0) { // half a line perhaps, or three lines
                System.out.println("received " + count + " bytes");
            }
        } catch (IOException error) {
            System.err.println(error.getMessage()); // a reset is no reason to end
        }
    }
}
