/* S3, correct: many clients on one thread. Usage: select_server HOST PORT */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 4096
#define LINE_BYTES_MAX 2048
#define OWED_BYTES_MAX (1024 * 1024)
#define GOODBYE_SECONDS 5
#define REST_MILLISECONDS 100

struct client {
    int fd; /* -1: free */
    char name[21];
    char line[LINE_BYTES_MAX];
    size_t line_bytes;
    int skipping;
    char *owed;
    size_t owed_bytes, owed_room;
    int leaving;  /* nothing more is obeyed, what is owed is still sent */
    int ended;    /* its side of the stream has ended */
    time_t since; /* leaving since */
};

static struct client *clients[CLIENTS_MAX];

static time_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void close_client(struct client *c)
{
    if (c->fd < 0)
        return;
    close(c->fd);
    c->fd = -1;
    c->name[0] = 0;
    free(c->owed);
    c->owed = NULL;
    c->owed_bytes = c->owed_room = 0;
}

static void flush_client(struct client *c)
{
    size_t sent = 0;
    while (c->fd >= 0 && sent < c->owed_bytes) {
        ssize_t n = send(c->fd, c->owed + sent, c->owed_bytes - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0) {
            close_client(c);
            return;
        }
        sent += n;
    }
    if (c->fd < 0)
        return;
    memmove(c->owed, c->owed + sent, c->owed_bytes - sent);
    c->owed_bytes -= sent;
    if (c->owed_bytes == 0 && c->owed_room > 65536) {
        free(c->owed);
        c->owed = NULL;
        c->owed_room = 0;
    }
    if (c->leaving && c->owed_bytes == 0) {
        shutdown(c->fd, SHUT_WR);
        if (c->ended)
            close_client(c);
    }
}

static void send_bytes(struct client *c, const char *bytes, size_t count)
{
    if (c->fd < 0 || c->leaving)
        return;
    if (c->owed_bytes + count > OWED_BYTES_MAX) {
        /* A line may be half written: a word of farewell would end up in the middle of it. */
        close_client(c);
        return;
    }
    if (c->owed_bytes + count > c->owed_room) {
        c->owed_room = 2 * (c->owed_bytes + count);
        c->owed = realloc(c->owed, c->owed_room);
        if (!c->owed)
            abort();
    }
    memcpy(c->owed + c->owed_bytes, bytes, count);
    c->owed_bytes += count;
    flush_client(c);
}

static void say(struct client *c, const char *a, const char *b, const char *d)
{
    char line[3 * LINE_BYTES_MAX + 64];
    int n = snprintf(line, sizeof line, "%s%s%s\n", a, b, d);
    send_bytes(c, line, n);
}

static void leave(struct client *c)
{
    if (c->fd < 0 || c->leaving)
        return;
    c->name[0] = 0;
    c->leaving = 1;
    c->since = now();
    flush_client(c);
}

static struct client *find(const char *name)
{
    for (int i = 0; i < CLIENTS_MAX && clients[i]; i++)
        if (clients[i]->fd >= 0 && clients[i]->name[0] && !strcasecmp(clients[i]->name, name))
            return clients[i];
    return NULL;
}

static int is_name(const char *name)
{
    size_t n = strlen(name);
    if (n < 1 || n > 20 || !isalpha((unsigned char)name[0]) || (name[0] & 0x80))
        return 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = name[i];
        if (c > 127 || !(isalnum(c) || c == '_' || c == '-'))
            return 0;
    }
    return 1;
}

/* One character of UTF-8 at p: its value, and its length in *n; 0 in *n if it is none. */
static unsigned decode(const unsigned char *p, size_t left, int *n)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned value;
    int count = p[0] < 0x80 ? 1 : (p[0] >> 5) == 6 ? 2 : (p[0] >> 4) == 14 ? 3 : (p[0] >> 3) == 30 ? 4 : 0;
    *n = 0;
    if (!count || (size_t)count > left)
        return 0;
    value = count == 1 ? p[0] : p[0] & (0x7f >> count);
    for (int i = 1; i < count; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3f);
    }
    if (value < least[count] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *n = count;
    return value;
}

/* Rule L5. */
static int is_unprintable(unsigned c)
{
    return (c < 32 && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || (c >= 0xe0000 && c <= 0xe007f);
}

/* The line as text that may be shown; NULL if it is not UTF-8. `out` holds 3 bytes for each. */
static char *printable(const char *line, size_t count, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < count;) {
        int n;
        unsigned c = decode((const unsigned char *)line + i, count - i, &n);
        if (!n)
            return NULL;
        if (is_unprintable(c)) {
            memcpy(out + used, "\xef\xbf\xbd", 3);
            used += 3;
        } else {
            memcpy(out + used, line + i, n);
            used += n;
        }
        i += n;
    }
    out[used] = 0;
    return out;
}

static char *trim(char *text)
{
    size_t n;
    while (*text == ' ' || *text == '\t')
        text++;
    n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = 0;
    return text;
}

static void enrol(struct client *c, char *name)
{
    struct client *owner = find(name);
    if (!is_name(name)) {
        say(c, "! bad name: 1 to 20 letters, digits, _ and -, a letter first", "", "");
    } else if (owner && owner != c) {
        say(c, "! name taken: ", name, "");
    } else {
        strcpy(c->name, name);
        printf("User %s added.\n", name);
        fflush(stdout);
        say(c, "Your user detail saved as: ", name, "");
    }
}

static void deliver(struct client *c, char *user, char *text)
{
    struct client *to = find(user);
    char from[24];
    if (!c->name[0]) {
        say(c, "! register first: #NAME", "", "");
    } else if (!*text) {
        say(c, "! there is no text", "", "");
    } else if (!to) {
        say(c, "! no such user: ", user, "");
    } else {
        snprintf(from, sizeof from, "%s: ", c->name);
        say(to, from, text, "");
    }
}

static void obey(struct client *c, const char *line, size_t count)
{
    char text[3 * LINE_BYTES_MAX + 1], *colon, *start;
    if (count && line[count - 1] == '\r')
        count--;
    if (!printable(line, count, text)) {
        say(c, "! not UTF-8", "", "");
        return;
    }
    start = trim(text);
    if (!*start)
        return;
    colon = strchr(start, ':');
    if (!strcmp(start, "exit")) {
        leave(c);
    } else if (!c->name[0] && strstr(start, " HTTP/")) {
        say(c, "! this port is no web server", "", "");
        leave(c);
    } else if (*start == '#') {
        enrol(c, start + 1);
    } else if (*start == '@' && colon) {
        *colon = 0;
        deliver(c, trim(start + 1), trim(colon + 1));
    } else {
        say(c, "! say #NAME or @USER:TEXT", "", "");
    }
}

static void take(struct client *c, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count && c->fd >= 0 && !c->leaving; i++) {
        int ended = bytes[i] == '\n';
        if (c->skipping) {
            c->skipping = !ended;
        } else if (ended) {
            obey(c, c->line, c->line_bytes);
            c->line_bytes = 0;
        } else if (c->line_bytes + 1 == LINE_BYTES_MAX) {
            /* This byte is no LF, so with its LF the line would be too long. */
            say(c, "! line too long (at most 2048 bytes)", "", "");
            c->line_bytes = 0;
            c->skipping = 1;
        } else {
            c->line[c->line_bytes++] = bytes[i];
        }
    }
}

static void readable(struct client *c)
{
    char bytes[4096];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        if (!c->leaving)
            take(c, bytes, n);
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        close_client(c);
        return;
    }
    c->ended = 1;
    leave(c);
    if (c->fd >= 0 && c->owed_bytes == 0)
        close_client(c);
}

static int accept_one(int listener)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    char text[64];
    int i, one = 1, fd = accept4(listener, (struct sockaddr *)&address, &size, SOCK_NONBLOCK);
    if (fd < 0)
        return errno != EMFILE && errno != ENFILE;
    for (i = 0; i < CLIENTS_MAX && clients[i] && clients[i]->fd >= 0; i++)
        ;
    if (i == CLIENTS_MAX) {
        close(fd);
        return 1;
    }
    if (!clients[i])
        clients[i] = calloc(1, sizeof **clients);
    if (!clients[i])
        abort();
    memset(clients[i], 0, sizeof **clients);
    clients[i]->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    snprintf(text, sizeof text, "%s:%d", inet_ntoa(address.sin_addr), ntohs(address.sin_port));
    say(clients[i], "You are connected from: ", text, "");
    return 1;
}

static int listen_on(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    inet_pton(AF_INET, host, &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0) {
        fprintf(stderr, "cannot listen on %s:%d: %s; try another port\n", host, port, strerror(errno));
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("listening on %s:%d\n", host, ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    static struct pollfd fds[CLIENTS_MAX + 1];
    static struct client *who[CLIENTS_MAX + 1];
    int listener, resting = 0, said = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: select_server HOST PORT\n");
        return 2;
    }
    listener = listen_on(argv[1], atoi(argv[2]));
    for (;;) {
        int count = 1, leaving = 0;
        fds[0].fd = resting ? -1 : listener; /* poll ignores negative ones */
        fds[0].events = POLLIN;
        for (int i = 0; i < CLIENTS_MAX && clients[i]; i++) {
            struct client *c = clients[i];
            if (c->fd >= 0 && c->leaving && now() - c->since > GOODBYE_SECONDS)
                close_client(c);
            if (c->fd < 0)
                continue;
            leaving |= c->leaving;
            who[count] = c;
            fds[count].fd = c->fd;
            fds[count].events = (c->ended ? 0 : POLLIN) | (c->owed_bytes ? POLLOUT : 0);
            count++;
        }
        poll(fds, count, resting || leaving ? REST_MILLISECONDS : -1);
        for (int i = 1; i < count; i++) {
            if (who[i]->fd == fds[i].fd && (fds[i].revents & POLLOUT))
                flush_client(who[i]);
            if (who[i]->fd == fds[i].fd && (fds[i].revents & (POLLIN | POLLHUP | POLLERR)))
                readable(who[i]);
        }
        if (resting) {
            resting = 0;
        } else if (fds[0].revents) {
            resting = !accept_one(listener);
            if (resting && !said)
                fprintf(stderr, "no descriptors left; waiting\n");
            said = resting;
        }
    }
}
