/* A client that prints what came, after each line that its user types. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int wait_for_more(int fd)
{
    struct timeval moment = {0, 200000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &moment) > 0;
}

static void show(int fd)
{
    char byte;
    while (wait_for_more(fd)) {
        do {
            int n = recv(fd, &byte, 1, 0);
            if (n <= 0) {
                fprintf(stderr, n == 0 ? "the server has ended\n" : "the connection broke\n");
                exit(n == 0 ? 0 : 1);
            }
            if (byte != '\r')
                putchar(byte >= 0 && byte < 32 && byte != '\n' && byte != '\t' ? '?' : byte);
        } while (byte != '\n');
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char line[4096];
    if (argc < 3)
        return 2;
    a.sin_port = htons(atoi(argv[2]));
    a.sin_addr.s_addr = inet_addr(argv[1]);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        perror("cannot connect");
        return 1;
    }
    show(fd);
    while (fgets(line, sizeof line, stdin)) {
        send(fd, line, strlen(line), MSG_NOSIGNAL);
        show(fd);
    }
    shutdown(fd, SHUT_WR);
    for (;;)
        show(fd);
}
