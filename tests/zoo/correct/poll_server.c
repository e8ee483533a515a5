/* A chat in C (S4: what one says, all others hear), with one thread and poll().
 *
 * Every socket is non-blocking. Each client has a buffer for the line that has no end yet,
 * and one for what could not be sent so far; poll() says when more can be sent.
 *
 *     cc -O1 -o poll_server poll_server.c && ./poll_server 127.0.0.1 8004
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 2048,      /* L3, the line's end included */
    WELCOME_MAX_BYTES = 8000,   /* L3 allows a server's line 8192 */
    NAME_MAX_BYTES = 20,        /* L8 */
    OWED_MAX_BYTES = 1024 * 1024, /* L13 */
    FAREWELL_MS = 5000          /* L10 */
};

struct client {
    int fd;
    char ip[INET6_ADDRSTRLEN];
    int port;
    char name[NAME_MAX_BYTES + 1]; /* empty: none yet */
    char line[LINE_MAX_BYTES];
    size_t line_len;
    bool skipping;      /* the rest of a line that was too long */
    char *owed;
    size_t owed_len, owed_size;
    bool leaving;       /* has ended: only what is owed is still sent */
    bool half_closed;   /* everything was sent, and our end of stream too */
    bool dead;          /* to be forgotten at the end of the round */
    long long deadline; /* ms, when leaving */
};

static struct client **clients; /* in the order in which they came */
static size_t client_count, client_size;
static int members;

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void *grown(void *old, size_t bytes)
{
    void *new = realloc(old, bytes);
    if (new == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return new;
}

/* ---- what goes to a client ---------------------------------------------------------- */

static void leave(struct client *c);

static void kill_client(struct client *c)
{
    c->dead = true;
    c->owed_len = 0;
    leave(c);
}

static void flush_owed(struct client *c)
{
    size_t done = 0;
    while (done < c->owed_len) {
        ssize_t n = send(c->fd, c->owed + done, c->owed_len - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0) {
            kill_client(c);
            return;
        }
        done += (size_t)n;
    }
    c->owed_len -= done;
    memmove(c->owed, c->owed + done, c->owed_len);
    if (c->owed_len == 0) {
        free(c->owed);
        c->owed = NULL;
        c->owed_size = 0;
        if (c->leaving && !c->half_closed) {
            c->half_closed = true;
            shutdown(c->fd, SHUT_WR);
        }
    }
}

static void tell(struct client *c, const char *text)
{
    size_t length = strlen(text);
    if (c->leaving || c->dead)
        return;
    if (c->owed_len + length + 1 > OWED_MAX_BYTES) {
        kill_client(c);
        return;
    }
    if (c->owed_len + length + 1 > c->owed_size) {
        c->owed_size = 2 * (c->owed_len + length + 1);
        c->owed = grown(c->owed, c->owed_size);
    }
    memcpy(c->owed + c->owed_len, text, length);
    c->owed[c->owed_len + length] = '\n';
    c->owed_len += length + 1;
}

static void tell_others(const struct client *but, const char *format, ...)
{
    char text[LINE_MAX_BYTES * 3 + 100]; /* a control byte becomes three (L5) */
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    for (size_t i = 0; i < client_count; i++)
        if (clients[i] != but && clients[i]->name[0] != '\0')
            tell(clients[i], text);
}

static void refuse(struct client *c, const char *why)
{
    char text[200];
    snprintf(text, sizeof text, "! %s", why);
    tell(c, text);
    if (c->name[0] == '\0')
        tell(c, "NICK");
}

/* ---- coming and going --------------------------------------------------------------- */

static void leave(struct client *c)
{
    if (c->leaving)
        return;
    c->leaving = true;
    c->deadline = now_ms() + FAREWELL_MS;
    if (c->name[0] != '\0') {
        char name[NAME_MAX_BYTES + 1];
        strcpy(name, c->name);
        c->name[0] = '\0';
        members--;
        tell_others(c, "* %s left", name);
    }
}

static bool is_name(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return length >= 1 && length <= NAME_MAX_BYTES && text[length] == '\0'
        && strchr("0123456789_-", text[0]) == NULL;
}

static void welcome(struct client *c)
{
    char text[8192];
    int length = snprintf(text, sizeof text, "* welcome %s: %d here (", c->name, members);
    int shown = 0;
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i]->name[0] == '\0')
            continue;
        if (length > WELCOME_MAX_BYTES) {
            length += sprintf(text + length, ", and %d more", members - shown);
            break;
        }
        length += sprintf(text + length, "%s%s", shown++ ? ", " : "", clients[i]->name);
    }
    strcpy(text + length, ")");
    tell(c, text);
}

static void take_name(struct client *c, const char *name)
{
    if (!is_name(name)) {
        refuse(c, "this cannot be a name (letters, digits, _ and -; at most 20; a letter first)");
        return;
    }
    for (size_t i = 0; i < client_count; i++)
        if (strcasecmp(clients[i]->name, name) == 0) {
            refuse(c, "this name belongs to somebody else");
            return;
        }
    strcpy(c->name, name);
    members++;
    welcome(c);
    tell_others(c, "* %s joined", name);
}

/* ---- what comes from a client ------------------------------------------------------- */

/* Decodes one character; returns its bytes, or 0 where the text is not UTF-8. */
static size_t decode(const unsigned char *s, size_t length, unsigned *code)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC0 ? 2 : 0;
    if (size == 0 || size > length || s[0] > 0xF7)
        return 0;
    *code = size == 1 ? s[0] : s[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3F);
    }
    if (*code < least[size] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
        return 0;
    return size;
}

static bool is_trouble(unsigned c) /* L5 */
{
    return (c < 0x20 && c != '\t') || (c >= 0x7F && c <= 0x9F) || c == 0x61C || c == 0x200E
        || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)
        || (c >= 0xE0000 && c <= 0xE007F);
}

static void obey(struct client *c, const char *line, size_t length)
{
    char text[LINE_MAX_BYTES * 3];
    size_t used = 0, size;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    for (size_t i = 0; i < length; i += size) {
        unsigned code;
        size = decode((const unsigned char *)line + i, length - i, &code);
        if (size == 0) {
            refuse(c, "only UTF-8 is understood here");
            return;
        }
        if (is_trouble(code)) {
            memcpy(text + used, "\xEF\xBF\xBD", 3);
            used += 3;
        } else {
            memcpy(text + used, line + i, size);
            used += size;
        }
    }
    text[used] = '\0';
    while (used > 0 && strchr(" \t", text[used - 1]) != NULL)
        text[--used] = '\0';
    char *start = text + strspn(text, " \t");
    if (*start == '\0')
        return;
    if (strcmp(start, "exit") == 0) {
        leave(c);
    } else if (c->name[0] == '\0' && strstr(start, " HTTP/") != NULL) {
        refuse(c, "only people chat here, no browsers");
        leave(c);
    } else if (c->name[0] == '\0') {
        take_name(c, start);
    } else {
        printf("[%s]:%d => %s\n", c->ip, c->port, start);
        tell_others(c, "%s: %s", c->name, start);
    }
}

static void feed(struct client *c, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !c->leaving; i++) {
        if (bytes[i] == '\n') {
            if (!c->skipping)
                obey(c, c->line, c->line_len);
            c->skipping = false;
            c->line_len = 0;
        } else if (!c->skipping) {
            c->line[c->line_len++] = bytes[i];
            if (c->line_len == LINE_MAX_BYTES) {
                c->skipping = true;
                refuse(c, "that was more than 2048 bytes without an end");
            }
        }
    }
}

/* One read only: the others have their turn before this client's next bytes. */
static void read_some(struct client *c)
{
    char bytes[16 * 1024];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        feed(c, bytes, (size_t)n);
    } else if (n == 0) {
        leave(c);
        if (c->half_closed)
            c->dead = true; /* both directions have ended */
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        kill_client(c);
    }
}

/* ---- the loop ----------------------------------------------------------------------- */

/* Returns false when there are no descriptors left. */
static bool accept_some(int listener)
{
    while (true) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        char port[16];
        int one = 1;
        int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        struct client *c = memset(grown(NULL, sizeof *c), 0, sizeof *c);
        c->fd = fd;
        getnameinfo((struct sockaddr *)&peer, size, c->ip, sizeof c->ip, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
        c->port = atoi(port);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (client_count == client_size) {
            client_size = 2 * client_size + 16;
            clients = grown(clients, client_size * sizeof *clients);
        }
        clients[client_count++] = c;
        printf("%s:%d connected\n", c->ip, c->port);
        tell(c, "NICK");
    }
}

static void forget_the_dead(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < client_count; i++) {
        struct client *c = clients[i];
        if (c->leaving && now_ms() >= c->deadline)
            c->dead = true;
        if (c->dead) {
            close(c->fd);
            free(c->owed);
            free(c);
        } else {
            clients[kept++] = c;
        }
    }
    client_count = kept;
}

static void serve(int listener)
{
    struct pollfd *polled = NULL;
    int pause_ms = 0; /* while there are no descriptors */
    while (true) {
        int timeout = pause_ms > 0 ? pause_ms : -1;
        polled = grown(polled, (client_count + 1) * sizeof *polled);
        polled[0] = (struct pollfd){.fd = pause_ms > 0 ? -1 : listener, .events = POLLIN};
        for (size_t i = 0; i < client_count; i++) {
            struct client *c = clients[i];
            polled[i + 1] = (struct pollfd){.fd = c->fd, .events = POLLIN};
            if (c->owed_len > 0)
                polled[i + 1].events |= POLLOUT;
            if (c->leaving) {
                int left = (int)(c->deadline - now_ms());
                left = left < 0 ? 0 : left;
                timeout = timeout < 0 || left < timeout ? left : timeout;
            }
        }
        size_t count = client_count;
        fflush(stdout);
        int ready = poll(polled, count + 1, timeout);
        if (ready < 0 && errno != EINTR) {
            perror("poll");
            exit(1);
        }
        for (size_t i = 0; ready > 0 && i < count; i++)
            if (polled[i + 1].revents & (POLLIN | POLLHUP | POLLERR))
                read_some(clients[i]);
        if (pause_ms > 0 || (ready > 0 && polled[0].revents != 0)) {
            if (accept_some(listener)) {
                pause_ms = 0;
            } else {
                if (pause_ms == 0)
                    fprintf(stderr, "no new clients for now: %s\n", strerror(errno));
                pause_ms = pause_ms == 0 ? 50 : pause_ms < 1000 ? 2 * pause_ms : 1000;
            }
        }
        for (size_t i = 0; i < client_count; i++)
            if (!clients[i]->dead && !clients[i]->half_closed
                && (clients[i]->owed_len > 0 || clients[i]->leaving))
                flush_owed(clients[i]);
        forget_the_dead();
    }
}

static int listen_on(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int one = 1;
    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem != 0) {
        fprintf(stderr, "cannot listen on %s:%s: %s; check the host\n", host, port, gai_strerror(problem));
        exit(1);
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 4096) < 0) {
        fprintf(stderr, "cannot listen on %s:%s: %s; try another port\n", host, port, strerror(errno));
        exit(1);
    }
    freeaddrinfo(found);
    return fd;
}

int main(int argc, char **argv)
{
    char *rest = "x";
    if (argc != 3 || (unsigned long)strtol(argv[2], &rest, 10) > 65535 || *rest != '\0') {
        fprintf(stderr, "usage: poll_server HOST PORT\n");
        return 2;
    }
    int listener = listen_on(argv[1], argv[2]);
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    char host[INET6_ADDRSTRLEN], port[16];
    getsockname(listener, (struct sockaddr *)&own, &size);
    getnameinfo((struct sockaddr *)&own, size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    printf(strchr(host, ':') ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
    serve(listener);
}
