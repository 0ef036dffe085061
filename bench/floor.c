/* The floor: receives RTP on a few UDP ports and sends one packet back to every leg each 20 ms.
 *
 * It does nothing else: no headers are parsed, no sound is touched.  Whatever a media worker costs above
 * this is its own; whatever it costs below this is impossible with the same system calls.
 *
 *   floor FIRST_PORT PORTS LEGS SECONDS
 *
 * Legs are learnt from the sources seen.  Prints user+system CPU seconds used and ticks run.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 1024
#define SIZE 1024

struct leg { struct sockaddr_in addr; int port; };

static struct mmsghdr rx[BATCH], *tx;
static struct iovec rxv[BATCH], *txv;
static struct sockaddr_in rxn[BATCH];
static char rxb[BATCH][SIZE];

static uint8_t seen[1 << 16];

static double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6 + u.ru_stime.tv_sec + u.ru_stime.tv_usec / 1e6;
}

int main(int argc, char **argv) {
    if (argc < 5) { fprintf(stderr, "usage: floor FIRST_PORT PORTS LEGS SECONDS\n"); return 2; }
    int first = atoi(argv[1]), ports = atoi(argv[2]), legs = atoi(argv[3]), seconds = atoi(argv[4]);
    int *fd = calloc(ports, sizeof *fd);
    struct leg *leg = calloc(legs, sizeof *leg);
    char (*txb)[172] = calloc(legs, sizeof *txb);
    int *start = calloc(ports + 1, sizeof *start);
    int known = 0, deep = 4 << 20;
    tx = calloc(legs, sizeof *tx);
    txv = calloc(legs, sizeof *txv);
    for (int i = 0; i < ports; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(first + 2 * i)};
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &deep, sizeof deep);
        setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &deep, sizeof deep);
        if (bind(fd[i], (struct sockaddr *)&a, sizeof a)) { perror("bind"); return 1; }
    }
    for (int i = 0; i < BATCH; i++) {
        rxv[i] = (struct iovec){rxb[i], SIZE};
        rx[i].msg_hdr = (struct msghdr){.msg_iov = &rxv[i], .msg_iovlen = 1, .msg_name = &rxn[i]};
    }
    printf("ready\n"); fflush(stdout);

    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    int warm = 150, measured = seconds * 50;
    double from = 0;
    long received = 0, sent = 0;
    for (int t = 0; t < warm + measured; t++) {
        if (t == warm) { from = cpu(); received = sent = 0; }
        for (int p = 0; p < ports; p++) {
            for (int i = 0; i < BATCH; i++) rx[i].msg_hdr.msg_namelen = sizeof rxn[i];
            int n = recvmmsg(fd[p], rx, BATCH, MSG_DONTWAIT, NULL);
            if (n > 0) received += n;
            if (t < warm)
                for (int i = 0; i < n; i++) {
                    uint16_t src = ntohl(rxn[i].sin_addr.s_addr);
                    if (!seen[src] && known < legs) {
                        seen[src] = 1;
                        leg[known].addr = rxn[i];
                        leg[known++].port = p;
                    }
                }
        }
        if (t < warm) {                       /* lay the legs out by port */
            int k = 0;
            for (int p = 0; p < ports; p++) {
                start[p] = k;
                for (int i = 0; i < known; i++)
                    if (leg[i].port == p) {
                        txv[k] = (struct iovec){txb[i], 172};
                        tx[k].msg_hdr = (struct msghdr){.msg_iov = &txv[k], .msg_iovlen = 1,
                            .msg_name = &leg[i].addr, .msg_namelen = sizeof leg[i].addr};
                        txb[i][0] = (char)0x80;
                        k++;
                    }
            }
            start[ports] = k;
        }
        for (int p = 0; p < ports; p++)
            for (int i = start[p]; i < start[p + 1];) {
                int n = sendmmsg(fd[p], tx + i, start[p + 1] - i, MSG_DONTWAIT);
                if (n <= 0) { i++; continue; }
                i += n;
                sent += n;
            }
        next.tv_nsec += 20000000;
        if (next.tv_nsec >= 1000000000) { next.tv_nsec -= 1000000000; next.tv_sec++; }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("{\"legs\": %d, \"cpu_s\": %.6f, \"ticks\": %d, \"received\": %ld, \"sent\": %ld}\n",
           known, cpu() - from, measured, received, sent);
    return 0;
}
