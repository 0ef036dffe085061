/* Telephones for bench/calls: each begins when told, types a PIN as RFC 4733 events at its own time, then talks or is
 * silent, 50 packets a second, and counts what is missing in what it hears.
 *
 *   calls_phones TALK_FILE TALKERS < commands
 *
 * stdin:  "I IP PORT KEYS"  phone I sends to IP:PORT from now on, and types KEYS after a second
 *         "report"          print the counters so far as one line of JSON
 *         "quit"            print them and end
 * Phone I has the address 127.1.(I/250).(I%250 + 1) and this process's one port (printed first), so that one socket
 * carries all of them in batches.  TALK_FILE holds payload bytes, 160 a packet, the last packet silence; phones
 * below TALKERS speak it.  A phone's packet leaves in one of GROUPS moments of each 20 ms.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX 8192
#define GROUPS 20
#define WAIT 50      /* ticks before the first key */
#define KEY 5        /* ticks a key lasts */
#define PAUSE 4      /* ticks between keys */
#define BURST 4      /* packets a phone may send in one tick: the last of a key goes out three times */

struct phone {
    struct sockaddr_in to;
    uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo))];
    uint8_t on, began;
    char keys[40];
    int age, at, step, pause;
    uint16_t seq, last;
    uint32_t ts, ssrc;
    long heard, lost, disordered, anew;
};
static struct phone phones[MAX];
static uint8_t talk[1 << 22];
static struct mmsghdr tx[MAX * BURST], rx[1024];
static struct iovec txv[MAX * BURST][2], rxv[1024];
static uint8_t head[MAX * BURST][16], rxb[1024][256];
static struct sockaddr_in from_[1024];
static char rxc[1024][64];
static int fd, n, frames, talkers;
static long stray, sent, unsent, late;

static void put(int k, struct phone *p, int pt, int marker, const uint8_t *body, int size) {
    uint8_t *h = head[k];
    h[0] = 0x80; h[1] = pt | (marker << 7);
    *(uint16_t *)(h + 2) = htons(p->seq++);
    *(uint32_t *)(h + 4) = htonl(p->ts);
    *(uint32_t *)(h + 8) = htonl(0x1000 + (uint32_t)(p - phones));
    txv[k][0] = (struct iovec){h, 12};
    txv[k][1] = (struct iovec){(void *)body, size};
    tx[k].msg_hdr = (struct msghdr){.msg_name = &p->to, .msg_namelen = sizeof p->to, .msg_iov = txv[k],
        .msg_iovlen = 2, .msg_control = p->control, .msg_controllen = sizeof p->control};
}

/* What phone i sends in this tick, from slot k on; the next free slot. */
static int say(int i, int k) {
    struct phone *p = phones + i;
    int typing = p->age >= WAIT && p->keys[p->at];
    p->age++;
    if (typing && p->pause == 0) {
        static const char names[] = "0123456789*#ABCD";
        int last = ++p->step == KEY, times = last ? 3 : 1;
        for (int c = 0; c < times; c++, k++) {
            uint8_t *body = head[k] + 12;
            body[0] = strchr(names, p->keys[p->at]) - names;
            body[1] = 10 | (last ? 0x80 : 0);
            *(uint16_t *)(body + 2) = htons(160 * p->step);
            put(k, p, 101, p->step == 1, body, 4);
        }
        if (last) { p->ts += 160 * KEY; p->step = 0; p->pause = PAUSE; p->at++; }
        return k;
    }
    if (p->pause) p->pause--;
    int f = i < talkers ? (p->age + 37 * i) % (frames - 1) : frames - 1;
    put(k, p, 0, 0, talk + 160 * f, 160);
    p->ts += 160;
    return k + 1;
}

static void hear(void) {
    for (;;) {
        for (int i = 0; i < 1024; i++) { rx[i].msg_hdr.msg_controllen = 64; rx[i].msg_hdr.msg_namelen = 16; }
        int k = recvmmsg(fd, rx, 1024, MSG_DONTWAIT, NULL);
        if (k <= 0) return;
        for (int i = 0; i < k; i++) {
            struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA((struct cmsghdr *)rxc[i]);
            uint32_t mine = ntohl(info->ipi_addr.s_addr) - 0x7f010001;
            int leg = mine / 256 * 250 + mine % 256;
            if (rx[i].msg_len != 172 || leg < 0 || leg >= n || !phones[leg].on) { stray++; continue; }
            struct phone *p = phones + leg;
            uint16_t seq = ntohs(*(uint16_t *)(rxb[i] + 2));
            uint32_t ssrc = *(uint32_t *)(rxb[i] + 8);
            if (p->began && ssrc != p->ssrc) { p->anew++; p->began = 0; }
            p->ssrc = ssrc;
            int16_t gap = (int16_t)(seq - p->last - 1);
            if (p->began && gap > 0) p->lost += gap;
            if (p->began && gap < 0) p->disordered++;
            if (!p->began || gap >= 0) p->last = seq;
            p->began = 1; p->heard++;
        }
        if (k < 1024) return;
    }
}

static void report(void) {
    long heard = 0, lost = 0, disordered = 0, least = 1L << 60, typed = 0, deaf = 0, hurt = 0, anew = 0;
    for (int i = 0; i < n; i++) if (phones[i].on) {
        heard += phones[i].heard; lost += phones[i].lost; disordered += phones[i].disordered; anew += phones[i].anew;
        hurt += phones[i].lost > 0; typed += !phones[i].keys[phones[i].at]; deaf += !phones[i].heard;
        if (phones[i].heard < least) least = phones[i].heard;
    }
    printf("{\"heard\": %ld, \"lost\": %ld, \"disordered\": %ld, \"least_heard\": %ld, \"typed\": %ld, \"deaf\": %ld, \"hurt\": %ld, \"anew\": %ld, "
        "\"stray\": %ld, \"sent\": %ld, \"unsent\": %ld, \"late_ms_max\": %ld}\n",
        heard, lost, disordered, n ? least : 0, typed, deaf, hurt, anew, stray, sent, unsent, late / 1000000);
    fflush(stdout);
    late = 0;
}

/* Commands that have come; 0 when told to quit. */
static int obey(void) {
    static char text[1 << 16];
    static int have;
    int got = read(0, text + have, sizeof text - 1 - have);
    if (got == 0) return 0;
    if (got > 0) have += got;
    text[have] = 0;
    char *line = text, *end;
    for (; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        int i, port;
        char ip[64], keys[40];
        if (!strcmp(line, "quit")) return 0;
        if (!strcmp(line, "report")) report();
        else if (sscanf(line, "%d %63s %d %39s", &i, ip, &port, keys) == 4 && i >= 0 && i < MAX) {
            struct phone *p = phones + i;
            p->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
            inet_aton(ip, &p->to.sin_addr);
            struct cmsghdr *c = (struct cmsghdr *)p->control;
            c->cmsg_level = IPPROTO_IP; c->cmsg_type = IP_PKTINFO; c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
            ((struct in_pktinfo *)CMSG_DATA(c))->ipi_spec_dst.s_addr = htonl(0x7f010001 + i / 250 * 256 + i % 250);
            strcpy(p->keys, keys);
            p->on = 1;
            if (i >= n) n = i + 1;
        }
    }
    have -= line - text;
    memmove(text, line, have);
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    int on = 1, deep = 64 << 20;
    FILE *f = fopen(argv[1], "rb");
    frames = fread(talk, 1, sizeof talk, f) / 160;
    talkers = atoi(argv[2]);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &deep, sizeof deep);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &deep, sizeof deep);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &deep, sizeof deep);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &deep, sizeof deep);
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    struct sockaddr_in me = {.sin_family = AF_INET};
    socklen_t len = sizeof me;
    bind(fd, (struct sockaddr *)&me, sizeof me);
    getsockname(fd, (struct sockaddr *)&me, &len);
    printf("%d\n", ntohs(me.sin_port)); fflush(stdout);
    fcntl(0, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 1024; i++) {
        rxv[i] = (struct iovec){rxb[i], sizeof rxb[i]};
        rx[i].msg_hdr = (struct msghdr){.msg_iov = &rxv[i], .msg_iovlen = 1, .msg_name = &from_[i],
            .msg_namelen = sizeof from_[i], .msg_control = rxc[i], .msg_controllen = sizeof rxc[i]};
    }
    struct timespec next, now;
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (obey())
        for (int g = 0; g < GROUPS; g++) {
            int k = 0;
            for (int i = g; i < n; i += GROUPS) if (phones[i].on) k = say(i, k);
            for (int i = 0; i < k;) {
                int done = sendmmsg(fd, tx + i, k - i, 0);
                if (done > 0) { i += done; sent += done; } else { i++; unsent++; }
            }
            hear();
            next.tv_nsec += 20000000 / GROUPS;
            if (next.tv_nsec >= 1000000000) { next.tv_nsec -= 1000000000; next.tv_sec++; }
            clock_gettime(CLOCK_MONOTONIC, &now);
            long behind = (now.tv_sec - next.tv_sec) * 1000000000L + now.tv_nsec - next.tv_nsec;
            if (behind > late) late = behind;
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }
    report();
    return 0;
}
