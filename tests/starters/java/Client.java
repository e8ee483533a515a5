// %task%
//
// Build it:  javac Client.java
// Run it:    cargo run -p stage4-threads -- server 127.0.0.1 8004
//            and in another terminal: java Client 127.0.0.1 8004
// Check it:  %check%
// Read:      %page% (the task, its rules, hints)

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

public class Client {
    public static void main(String[] arguments) throws IOException {
        try (Socket server = new Socket(arguments[0], Integer.parseInt(arguments[1]))) {
            BufferedReader user = new BufferedReader(new InputStreamReader(System.in));
            byte[] bytes = new byte[2048];
            // BEGIN HERE.
            %steps%
            while (true) {
                int count = server.getInputStream().read(bytes);
                System.out.println("received " + count + " bytes");
                String line = user.readLine();
                server.getOutputStream().write(line.getBytes(StandardCharsets.UTF_8));
            }
        }
    }
}
