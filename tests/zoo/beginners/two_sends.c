/* S4, a thread for each client. The name, the text and the line end leave in a send each, and
   the lock is only around the list. */
#include <arpa/inet.h>
#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct client {
    int fd;
    char name[24];
    struct sockaddr_in address;
    struct client *next;
} client;

static client *first;
static pthread_mutex_t list = PTHREAD_MUTEX_INITIALIZER;

static void put(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        left -= n;
    }
}

static void broadcast(client *from, const char *a, const char *b, const char *c)
{
    int fds[256], count = 0;
    pthread_mutex_lock(&list);
    for (client *to = first; to && count < 256; to = to->next)
        if (to != from && to->name[0])
            fds[count++] = to->fd;
    pthread_mutex_unlock(&list);
    for (int i = 0; i < count; i++) {
        put(fds[i], a);
        put(fds[i], b);
        put(fds[i], c);
        put(fds[i], "\n");
    }
}

static const char *why_not(const char *name)
{
    if (!isalpha((unsigned char)name[0]) || strlen(name) > 20)
        return "! bad name\nNICK\n";
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            return "! bad name\nNICK\n";
    for (client *other = first; other; other = other->next)
        if (strcasecmp(other->name, name) == 0)
            return "! name taken\nNICK\n";
    return NULL;
}

static void welcome(client *me, const char *name)
{
    char text[8000], names[7000] = "";
    int count = 0;
    pthread_mutex_lock(&list);
    const char *why = why_not(name);
    if (!why)
        strcpy(me->name, name);
    for (client *other = first; other; other = other->next) {
        if (!other->name[0] || strlen(names) > 6900)
            continue;
        if (count++)
            strcat(names, ", ");
        strcat(names, other->name);
    }
    pthread_mutex_unlock(&list);
    if (why) {
        put(me->fd, why);
        return;
    }
    snprintf(text, sizeof text, "* welcome %s: %d here (%s)\n", name, count, names);
    put(me->fd, text);
    broadcast(me, "* ", name, " joined");
}

static int line(client *me, char *text)
{
    size_t n = strlen(text);
    while (n && strchr(" \t\r", text[n - 1]))
        text[--n] = 0;
    if (!strcmp(text, "exit"))
        return 0;
    if (!n)
        return 1;
    if (!me->name[0]) {
        welcome(me, text);
        return 1;
    }
    printf("[%s]:%d => %s\n", inet_ntoa(me->address.sin_addr), ntohs(me->address.sin_port), text);
    fflush(stdout);
    broadcast(me, me->name, ": ", text);
    return 1;
}

static void *talk(void *pointer)
{
    client *me = pointer, **link;
    char buffer[2049];
    size_t used = 0;
    int skipping = 0;
    put(me->fd, "NICK\n");
    for (;;) {
        ssize_t n = recv(me->fd, buffer + used, 2048 - used, 0);
        if (n <= 0)
            break;
        used += n;
        char *start = buffer, *end;
        int stay = 1;
        if (skipping) {
            end = memchr(buffer, '\n', used);
            start = end ? end + 1 : buffer + used;
            skipping = !end;
        }
        while (stay && (end = memchr(start, '\n', buffer + used - start))) {
            *end = 0;
            stay = line(me, start);
            start = end + 1;
        }
        if (!stay)
            break;
        used -= start - buffer;
        memmove(buffer, start, used);
        if (used == 2048) {
            put(me->fd, me->name[0] ? "! line too long\n" : "! line too long\nNICK\n");
            used = 0;
            skipping = 1;
        }
    }
    pthread_mutex_lock(&list);
    for (link = &first; *link != me; link = &(*link)->next)
        ;
    *link = me->next;
    pthread_mutex_unlock(&list);
    if (me->name[0])
        broadcast(me, "* ", me->name, " left");
    close(me->fd);
    free(me);
    return NULL;
}

int main(int argc, char **argv)
{
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET};
    if (argc < 3)
        return 2;
    here.sin_port = htons(atoi(argv[2]));
    here.sin_addr.s_addr = inet_addr(argv[1]);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (void *)&here, sizeof here) || listen(fd, 100)) {
        perror("cannot listen");
        return 1;
    }
    printf("listening on %s:%s\n", argv[1], argv[2]);
    fflush(stdout);
    for (;;) {
        client *new = calloc(1, sizeof *new);
        socklen_t size = sizeof new->address;
        pthread_t thread;
        new->fd = accept(fd, (void *)&new->address, &size);
        printf("%s:%d connected\n", inet_ntoa(new->address.sin_addr), ntohs(new->address.sin_port));
        fflush(stdout);
        pthread_mutex_lock(&list);
        new->next = first;
        first = new;
        pthread_mutex_unlock(&list);
        pthread_create(&thread, NULL, talk, new);
        pthread_detach(thread);
    }
}
