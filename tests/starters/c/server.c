/* %task%
 *
 * Build it:  cc -Wall -Wextra -pthread -o server server.c
 * Run it:    ./server 127.0.0.1 8000     and in another terminal: nc 127.0.0.1 8000
 * Check it:  %check%
 * Read:      %page% (the task, its rules, hints)
 */

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof address;
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, host, &address.sin_addr);
    /* Or the port could not be used for a minute after the server has ended. */
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 128) < 0) {
        perror("cannot listen");
        exit(1);
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening on %s:%d\n", host, ntohs(address.sin_port));
    fflush(stdout); /* the lab waits for this line */
    return listener;
}

static void serve(int client)
{
    /* BEGIN HERE. */
    %steps%
    char bytes[2048]; /* half a line perhaps, or three lines; there is no 0 at the end */
    ssize_t count;
    while ((count = recv(client, bytes, sizeof bytes, 0)) > 0) {
        printf("received %zd bytes\n", count);
        fflush(stdout);
    }
    close(client);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: server HOST PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* writing to a client that has gone must not end us */
    int listener = listen_on(argv[1], atoi(argv[2]));
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0)
            serve(client);
    }
}
