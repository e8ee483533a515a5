/* A correct client. Usage: client HOST PORT */

#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_BYTES_MAX 8192

static int sock;

static void send_all(const char *bytes, size_t count)
{
    while (count) {
        ssize_t n = send(sock, bytes, count, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return; /* the reading side says how it ended */
        bytes += n;
        count -= n;
    }
}

/* What could move the cursor is shown as U+FFFD: rule L5. Bytes that are no UTF-8 as well. */
static void print_line(const unsigned char *p, size_t count)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (count && p[count - 1] == '\r')
        count--;
    for (size_t i = 0; i < count;) {
        int n = p[i] < 0x80 ? 1 : (p[i] >> 5) == 6 ? 2 : (p[i] >> 4) == 14 ? 3 : (p[i] >> 3) == 30 ? 4 : 0;
        unsigned c = n == 1 ? p[i] : n ? p[i] & (0x7f >> n) : 0;
        int bad = !n || i + n > count;
        for (int k = 1; !bad && k < n; k++) {
            bad = (p[i + k] & 0xc0) != 0x80;
            c = c << 6 | (p[i + k] & 0x3f);
        }
        if (bad)
            n = 1;
        bad = bad || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (c < 32 && c != '\t') ||
              (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
              (c >= 0x2066 && c <= 0x2069) || (c >= 0xe0000 && c <= 0xe007f);
        if (bad)
            fputs("\xef\xbf\xbd", stdout);
        else
            fwrite(p + i, 1, n, stdout);
        i += n;
    }
    putchar('\n');
    fflush(stdout);
}

static void take(const char *bytes, size_t count)
{
    static unsigned char line[LINE_BYTES_MAX];
    static size_t used;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            print_line(line, used);
            used = 0;
        } else if (used < sizeof line) {
            line[used++] = bytes[i];
        }
    }
}

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    struct pollfd fds[2];
    char bytes[4096], last = '\n';
    if (argc < 3) {
        fprintf(stderr, "usage: client HOST PORT\n");
        return 2;
    }
    if (getaddrinfo(argv[1], argv[2], &hints, &address)) {
        fprintf(stderr, "cannot find %s\n", argv[1]);
        return 1;
    }
    sock = socket(address->ai_family, SOCK_STREAM, 0);
    if (connect(sock, address->ai_addr, address->ai_addrlen) < 0) {
        fprintf(stderr, "cannot connect to %s:%s: %s; is the server running?\n", argv[1], argv[2], strerror(errno));
        return 1;
    }
    fds[0].fd = sock;
    fds[0].events = POLLIN;
    fds[1].fd = 0;
    fds[1].events = POLLIN;
    for (;;) {
        poll(fds, 2, -1);
        if (fds[0].revents) {
            ssize_t n = recv(sock, bytes, sizeof bytes, 0);
            if (n < 0 && errno != EINTR) {
                fprintf(stderr, "the connection broke: %s\n", strerror(errno));
                return 1;
            }
            if (n == 0) {
                fprintf(stderr, "the server has ended the connection\n");
                return 0;
            }
            take(bytes, n > 0 ? n : 0);
        }
        if (fds[1].fd >= 0 && fds[1].revents) {
            ssize_t n = read(0, bytes, sizeof bytes); /* not fgets: poll does not see its buffer */
            if (n > 0) {
                send_all(bytes, n);
                last = bytes[n - 1];
            } else if (n == 0 || errno != EINTR) {
                if (last != '\n')
                    send_all("\n", 1);
                shutdown(sock, SHUT_WR);
                fds[1].fd = -1;
            }
        }
    }
}
