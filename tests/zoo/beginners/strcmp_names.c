/* S3 with select. Names are compared with strcmp. */
#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

struct user {
    int fd;
    char name[32];
    char buf[2048];
    int len;
} users[FD_SETSIZE];

int count = 0;

void tell(int fd, const char *a, const char *b, const char *c)
{
    char line[5000];
    snprintf(line, sizeof line, "%s%s%s\n", a, b, c);
    write(fd, line, strlen(line));
}

struct user *find(const char *name)
{
    for (int i = 0; i < count; i++)
        if (users[i].name[0] && strcmp(users[i].name, name) == 0)
            return &users[i];
    return NULL;
}

int good(const char *name)
{
    if (!isalpha((unsigned char)name[0]) || strlen(name) > 20)
        return 0;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
            return 0;
    return 1;
}

char *trim(char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    char *end = text + strlen(text);
    while (end > text && strchr(" \t\r", end[-1]))
        *--end = 0;
    return text;
}

/* Returns 0 when the user wants to go. */
int line(struct user *u, char *text)
{
    text = trim(text);
    char *colon = strchr(text, ':');
    if (strcmp(text, "exit") == 0)
        return 0;
    if (text[0] == '#') {
        struct user *owner = find(text + 1);
        if (!good(text + 1))
            tell(u->fd, "! bad name", "", "");
        else if (owner && owner != u)
            tell(u->fd, "! name taken: ", text + 1, "");
        else {
            strcpy(u->name, text + 1);
            printf("User %s added.\n", u->name);
            fflush(stdout);
            tell(u->fd, "Your user detail saved as: ", u->name, "");
        }
    } else if (text[0] == '@' && colon) {
        *colon = 0;
        char from[40], *words = trim(colon + 1);
        struct user *to = find(trim(text + 1));
        snprintf(from, sizeof from, "%s: ", u->name);
        if (!u->name[0])
            tell(u->fd, "! register first", "", "");
        else if (!*words)
            tell(u->fd, "! say something", "", "");
        else if (!to)
            tell(u->fd, "! no such user", "", "");
        else
            tell(to->fd, from, words, "");
    } else if (text[0]) {
        tell(u->fd, "! I do not understand", "", "");
    }
    return 1;
}

/* Returns 0 at the end. */
int receive(struct user *u)
{
    char *nl;
    int n = read(u->fd, u->buf + u->len, sizeof u->buf - 1 - u->len);
    if (n <= 0)
        return 0;
    u->len += n;
    while ((nl = memchr(u->buf, '\n', u->len))) {
        *nl = 0;
        if (!line(u, u->buf))
            return 0;
        u->len -= nl + 1 - u->buf;
        memmove(u->buf, nl + 1, u->len);
    }
    if (u->len == sizeof u->buf - 1) {
        tell(u->fd, "! line too long", "", "");
        u->len = 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    a.sin_addr.s_addr = inet_addr(argv[1]);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&a, sizeof a) < 0) {
        perror("bind");
        return 1;
    }
    listen(server, 100);
    printf("listening on %s:%s\n", argv[1], argv[2]);
    fflush(stdout);
    while (1) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(server, &set);
        for (int i = 0; i < count; i++)
            FD_SET(users[i].fd, &set);
        select(FD_SETSIZE, &set, NULL, NULL, NULL);
        for (int i = count - 1; i >= 0; i--) {
            if (FD_ISSET(users[i].fd, &set) && !receive(&users[i])) {
                close(users[i].fd);
                users[i] = users[--count];
            }
        }
        if (FD_ISSET(server, &set)) {
            socklen_t size = sizeof a;
            struct user *u = &users[count++];
            memset(u, 0, sizeof *u);
            u->fd = accept(server, (struct sockaddr *)&a, &size);
            char port[8];
            sprintf(port, ":%d", ntohs(a.sin_port));
            tell(u->fd, "You are connected from: ", inet_ntoa(a.sin_addr), port);
        }
    }
}
