/* %task%
 *
 * Build it:  cc -Wall -Wextra -pthread -o client client.c
 * Run it:    cargo run -p stage4-threads -- server 127.0.0.1 8004
 *            and in another terminal: ./client 127.0.0.1 8004
 * Check it:  %check%
 * Read:      %page% (the task, its rules, hints)
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int server = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, host, &address.sin_addr);
    if (connect(server, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("cannot connect");
        exit(1);
    }
    return server;
}

int main(int argc, char **argv)
{
    char line[2048];
    ssize_t count;
    if (argc < 3) {
        fprintf(stderr, "usage: client HOST PORT\n");
        return 2;
    }
    int server = connect_to(argv[1], atoi(argv[2]));
    /* BEGIN HERE. */
    %steps%
    while ((count = recv(server, line, sizeof line, 0)) > 0) {
        printf("received %zd bytes\n", count);
        fflush(stdout);
        if (fgets(line, sizeof line, stdin))
            send(server, line, strlen(line), MSG_NOSIGNAL);
    }
    return 0;
}
