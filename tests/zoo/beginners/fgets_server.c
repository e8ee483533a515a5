/* S4, a thread for each client. A line is what fgets gives. */
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

#define MAX 100

struct person {
    int fd, port;
    char ip[20], name[32];
} *people[MAX];

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void tell(struct person *p, const char *text)
{
    write(p->fd, text, strlen(text));
}

void tell_all(const char *text, struct person *without)
{
    for (int i = 0; i < MAX; i++)
        if (people[i] && people[i]->name[0] && people[i] != without)
            tell(people[i], text);
}

void clean(char *text)
{
    char *end = text + strlen(text);
    while (end > text && strchr("\r\n\t ", end[-1]))
        *--end = 0;
}

int may_have(const char *name)
{
    if (!isalpha((unsigned char)*name) || strlen(name) > 20)
        return 0;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return 0;
    for (int i = 0; i < MAX; i++)
        if (people[i] && !strcasecmp(people[i]->name, name))
            return 0;
    return 1;
}

void enter(struct person *p, const char *name)
{
    char text[4096] = "";
    if (!may_have(name)) {
        tell(p, "! bad name, or taken\nNICK\n");
        return;
    }
    strcpy(p->name, name);
    int here = 0;
    for (int i = 0; i < MAX; i++)
        here += people[i] && people[i]->name[0];
    sprintf(text, "* welcome %s: %d here (", name, here);
    for (int i = 0; i < MAX; i++)
        if (people[i] && people[i]->name[0])
            sprintf(text + strlen(text), "%s%s", strchr(text, '(')[1] ? ", " : "", people[i]->name);
    strcat(text, ")\n");
    tell(p, text);
    sprintf(text, "* %s joined\n", name);
    tell_all(text, p);
}

void *serve(void *arg)
{
    struct person *p = arg;
    char line[2049], text[2200];
    FILE *in = fdopen(dup(p->fd), "r");
    tell(p, "NICK\n");
    while (fgets(line, sizeof line, in)) {
        if (!strchr(line, '\n') && feof(in))
            break;
        clean(line);
        if (!strcmp(line, "exit"))
            break;
        pthread_mutex_lock(&lock);
        if (!line[0])
            ;
        else if (!p->name[0])
            enter(p, line);
        else {
            printf("[%s]:%d => %s\n", p->ip, p->port, line);
            fflush(stdout);
            sprintf(text, "%s: %s\n", p->name, line);
            tell_all(text, p);
        }
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX; i++)
        if (people[i] == p)
            people[i] = NULL;
    if (p->name[0]) {
        sprintf(text, "* %s left\n", p->name);
        tell_all(text, p);
    }
    pthread_mutex_unlock(&lock);
    fclose(in);
    close(p->fd);
    free(p);
    return NULL;
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
    listen(server, MAX);
    printf("listening on %s:%s\n", argv[1], argv[2]);
    fflush(stdout);
    while (1) {
        socklen_t size = sizeof a;
        int fd = accept(server, (struct sockaddr *)&a, &size), i = 0;
        pthread_t thread;
        struct person *p = calloc(1, sizeof *p);
        p->fd = fd;
        p->port = ntohs(a.sin_port);
        strcpy(p->ip, inet_ntoa(a.sin_addr));
        printf("%s:%d connected\n", p->ip, p->port);
        fflush(stdout);
        pthread_mutex_lock(&lock);
        while (i < MAX - 1 && people[i])
            i++;
        people[i] = p;
        pthread_mutex_unlock(&lock);
        pthread_create(&thread, NULL, serve, p);
        pthread_detach(thread);
    }
}
