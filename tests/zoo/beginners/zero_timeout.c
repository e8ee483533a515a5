/* S3 with select and a timeout of zero, in case something has happened. */
#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int used[FD_SETSIZE], length[FD_SETSIZE];
static char name[FD_SETSIZE][21], input[FD_SETSIZE][2048];

static void reply(int fd, const char *format, ...)
{
    char text[4200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    strcat(text, "\n");
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static int who_is(const char *wanted)
{
    for (int fd = 0; fd < FD_SETSIZE; fd++)
        if (used[fd] && name[fd][0] && !strcasecmp(name[fd], wanted))
            return fd;
    return -1;
}

static int is_good(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return isalpha((unsigned char)text[0]) && n <= 20 && text[n] == 0;
}

static char *strip(char *text)
{
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n && strchr(" \t\r", text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

static void hang_up(int fd)
{
    used[fd] = 0;
    name[fd][0] = 0;
    close(fd);
}

static void command(int fd, char *text)
{
    char *colon = strchr(text, ':');
    if (!strcmp(text, "exit")) {
        hang_up(fd);
    } else if (*text == '#') {
        int other = who_is(text + 1);
        if (!is_good(text + 1))
            reply(fd, "! bad name");
        else if (other >= 0 && other != fd)
            reply(fd, "! name taken: %s", text + 1);
        else {
            strcpy(name[fd], text + 1);
            printf("User %s added.\n", name[fd]);
            fflush(stdout);
            reply(fd, "Your user detail saved as: %s", name[fd]);
        }
    } else if (*text == '@' && colon) {
        *colon = 0;
        char *words = strip(colon + 1);
        int to = who_is(strip(text + 1));
        if (!name[fd][0])
            reply(fd, "! who are you?");
        else if (!*words)
            reply(fd, "! nothing to say?");
        else if (to < 0)
            reply(fd, "! nobody is called that");
        else
            reply(to, "%s: %s", name[fd], words);
    } else if (*text) {
        reply(fd, "! #NAME or @USER:TEXT");
    }
}

static void read_from(int fd)
{
    char *end;
    int n = recv(fd, input[fd] + length[fd], 2047 - length[fd], 0);
    if (n <= 0) {
        hang_up(fd);
        return;
    }
    length[fd] += n;
    while (used[fd] && (end = memchr(input[fd], '\n', length[fd]))) {
        char line[2048];
        int size = end + 1 - input[fd];
        memcpy(line, input[fd], size);
        line[size - 1] = 0;
        length[fd] -= size;
        memmove(input[fd], end + 1, length[fd]);
        command(fd, strip(line));
    }
    if (length[fd] == 2047) {
        reply(fd, "! too long");
        length[fd] = 0;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int yes = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    if (argc < 3)
        return 2;
    address.sin_port = htons(atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(door, (struct sockaddr *)&address, size) < 0) {
        fprintf(stderr, "cannot listen on port %s: is another server running?\n", argv[2]);
        return 1;
    }
    listen(door, 128);
    printf("listening on %s:%s\n", argv[1], argv[2]);
    fflush(stdout);
    for (;;) {
        fd_set ready;
        struct timeval now = {0, 0};
        FD_ZERO(&ready);
        FD_SET(door, &ready);
        for (int fd = 0; fd < FD_SETSIZE; fd++)
            if (used[fd])
                FD_SET(fd, &ready);
        if (select(FD_SETSIZE, &ready, NULL, NULL, &now) <= 0)
            continue;
        for (int fd = 0; fd < FD_SETSIZE; fd++)
            if (used[fd] && FD_ISSET(fd, &ready))
                read_from(fd);
        if (FD_ISSET(door, &ready)) {
            size = sizeof address;
            int fd = accept(door, (struct sockaddr *)&address, &size);
            used[fd] = 1;
            length[fd] = 0;
            reply(fd, "You are connected from: %s:%d", inet_ntoa(address.sin_addr), ntohs(address.sin_port));
        }
    }
}
