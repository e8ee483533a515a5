/* S4 with poll. Who leaves is taken out of the list, but the socket stays open. */
#include <arpa/inet.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MAX 1000

struct pollfd fds[MAX];
char names[MAX][24], from[MAX][32], bytes[MAX][2048];
int used[MAX], skipping[MAX], count = 1;

void say(int i, const char *text)
{
    send(fds[i].fd, text, strlen(text), MSG_NOSIGNAL);
}

void say_to_others(int me, const char *text)
{
    for (int i = 1; i < count; i++)
        if (i != me && names[i][0])
            say(i, text);
}

void name(int me, const char *wanted)
{
    char text[8192];
    regex_t good;
    regcomp(&good, "^[A-Za-z][A-Za-z0-9_-]{0,19}$", REG_EXTENDED);
    int bad = regexec(&good, wanted, 0, NULL, 0), here = 0;
    regfree(&good);
    for (int i = 1; i < count; i++)
        bad |= !strcasecmp(names[i], wanted);
    if (bad) {
        say(me, "! bad name or name taken\nNICK\n");
        return;
    }
    strcpy(names[me], wanted);
    for (int i = 1; i < count; i++)
        here += names[i][0] != 0;
    sprintf(text, "* welcome %s: %d here (", wanted, here);
    for (int i = 1; i < count && strlen(text) < 8000; i++)
        if (names[i][0])
            sprintf(text + strlen(text), "%s%s", names[i], --here ? ", " : ")\n");
    say(me, text);
    sprintf(text, "* %s joined\n", wanted);
    say_to_others(me, text);
}

int line(int me, char *text)
{
    char all[2200];
    for (int n = strlen(text); n && strchr("\r \t", text[n - 1]); n--)
        text[n - 1] = 0;
    if (!strcmp(text, "exit"))
        return 0;
    if (*text && names[me][0]) {
        printf("[%s => %s\n", from[me], text);
        fflush(stdout);
        sprintf(all, "%s: %s\n", names[me], text);
        say_to_others(me, all);
    } else if (*text) {
        name(me, text);
    }
    return 1;
}

int receive(int me)
{
    int n = recv(fds[me].fd, bytes[me] + used[me], 2047 - used[me], 0);
    char *end;
    if (n <= 0)
        return 0;
    used[me] += n;
    while ((end = memchr(bytes[me], '\n', used[me]))) {
        *end = 0;
        if (!skipping[me] && !line(me, bytes[me]))
            return 0;
        skipping[me] = 0;
        used[me] -= end + 1 - bytes[me];
        memmove(bytes[me], end + 1, used[me]);
    }
    if (used[me] == 2047) {
        if (!skipping[me])
            say(me, names[me][0] ? "! line too long\n" : "! line too long\nNICK\n");
        skipping[me] = 1;
        used[me] = 0;
    }
    return 1;
}

void gone(int me)
{
    char text[64];
    sprintf(text, "* %s left\n", names[me]);
    if (names[me][0])
        say_to_others(me, text);
    shutdown(fds[me].fd, SHUT_RDWR);
    if (me == --count)
        return;
    fds[me] = fds[count];
    used[me] = used[count];
    skipping[me] = skipping[count];
    strcpy(names[me], names[count]);
    strcpy(from[me], from[count]);
    memcpy(bytes[me], bytes[count], 2048);
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    int one = 1;
    if (argc < 3)
        return 2;
    a.sin_port = htons(atoi(argv[2]));
    a.sin_addr.s_addr = inet_addr(argv[1]);
    fds[0].fd = socket(AF_INET, SOCK_STREAM, 0);
    fds[0].events = POLLIN;
    setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fds[0].fd, (struct sockaddr *)&a, sizeof a) < 0) {
        perror("bind");
        return 1;
    }
    listen(fds[0].fd, 100);
    printf("listening on %s:%s\n", argv[1], argv[2]);
    fflush(stdout);
    while (poll(fds, count, -1) > 0) {
        for (int i = count - 1; i > 0; i--)
            if (fds[i].revents && !receive(i))
                gone(i);
        if (fds[0].revents) {
            socklen_t size = sizeof a;
            int fd = accept(fds[0].fd, (struct sockaddr *)&a, &size);
            if (fd < 0)
                continue;
            memset(names[count], 0, sizeof names[count]);
            used[count] = skipping[count] = 0;
            fds[count].fd = fd;
            fds[count].events = POLLIN;
            fds[count].revents = 0;
            sprintf(from[count], "%s]:%d", inet_ntoa(a.sin_addr), ntohs(a.sin_port));
            printf("%s:%d connected\n", inet_ntoa(a.sin_addr), ntohs(a.sin_port));
            fflush(stdout);
            count++;
            say(count - 1, "NICK\n");
        }
    }
}
