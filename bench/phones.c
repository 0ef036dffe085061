/* The load: many phones in one process, each sending 50 packets a second and counting what it hears.
 *
 *   phones SECONDS TALK_FILE TALKERS PT < legs
 *
 * stdin: one line per phone, "IP PORT": where it sends to.  Phone i has the address 127.1.(i/250).(i%250 + 1) and
 * this process's one port, so that one socket carries all of them in batches.  TALK_FILE holds raw payload
 * bytes, 160 a packet; the first TALKERS phones speak it from different places, the others send silence
 * (its last packet).  Prints the port, then at the end what was received, lost by sequence number, and late.
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

#define MAX 8192
#define GROUPS 20
static struct mmsghdr tx[MAX], rx[1024];
static struct iovec txv[MAX][2], rxv[1024];
static struct sockaddr_in to[MAX], from_[1024];
static char txc[MAX][CMSG_SPACE(sizeof(struct in_pktinfo))], rxc[1024][64];
static uint8_t head[MAX][12], rxb[1024][256];
static uint16_t last[MAX];
static uint8_t began[MAX];
static long heard[MAX];

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    int seconds = atoi(argv[1]), talkers = atoi(argv[3]), pt = atoi(argv[4]), n = 0, on = 1, deep = 64 << 20;
    FILE *f = fopen(argv[2], "rb");
    static uint8_t talk[1 << 22];
    int frames = fread(talk, 1, sizeof talk, f) / 160;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &deep, sizeof deep);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &deep, sizeof deep);
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    struct sockaddr_in me = {.sin_family = AF_INET};
    socklen_t len = sizeof me;
    bind(fd, (struct sockaddr *)&me, sizeof me);
    getsockname(fd, (struct sockaddr *)&me, &len);
    printf("%d\n", ntohs(me.sin_port)); fflush(stdout);
    char ip[64]; int port;
    while (n < MAX && scanf("%63s %d", ip, &port) == 2) {
        to[n] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        inet_aton(ip, &to[n].sin_addr);
        txv[n][0] = (struct iovec){head[n], 12};
        txv[n][1].iov_len = 160;
        tx[n].msg_hdr = (struct msghdr){.msg_name = &to[n], .msg_namelen = sizeof to[n], .msg_iov = txv[n],
            .msg_iovlen = 2, .msg_control = txc[n], .msg_controllen = sizeof txc[n]};
        struct cmsghdr *c = (struct cmsghdr *)txc[n];
        c->cmsg_level = IPPROTO_IP; c->cmsg_type = IP_PKTINFO; c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);
        info->ipi_spec_dst.s_addr = htonl(0x7f010001 + (n / 250) * 256 + n % 250);
        head[n][0] = 0x80; head[n][1] = pt;
        *(uint32_t *)(head[n] + 8) = htonl(0x1000 + n);
        n++;
    }
    for (int i = 0; i < 1024; i++) {
        rxv[i] = (struct iovec){rxb[i], sizeof rxb[i]};
        rx[i].msg_hdr = (struct msghdr){.msg_iov = &rxv[i], .msg_iovlen = 1, .msg_name = &from_[i],
            .msg_namelen = sizeof from_[i], .msg_control = rxc[i], .msg_controllen = sizeof rxc[i]};
    }
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    long received = 0, lost = 0, stray = 0;
    int ticks = seconds * 50;
    for (int t = 0; t < ticks + 10; t++)
        for (int g = 0; g < GROUPS; g++) {          /* spread over the 20 ms */
            int a = (long)n * g / GROUPS, b = (long)n * (g + 1) / GROUPS;
            for (int i = a; i < b; i++) {
                *(uint16_t *)(head[i] + 2) = htons((uint16_t)t);
                *(uint32_t *)(head[i] + 4) = htonl(t * 160u);
                int k = i < talkers ? (t + 37 * i) % (frames - 1) : frames - 1;
                txv[i][1].iov_base = talk + 160 * k;
            }
            for (int i = a; t < ticks && i < b;) {
                int k = sendmmsg(fd, tx + i, b - i, 0);
                i += k > 0 ? k : 1;
            }
            for (;;) {
                for (int i = 0; i < 1024; i++) { rx[i].msg_hdr.msg_controllen = 64; rx[i].msg_hdr.msg_namelen = 16; }
                int k = recvmmsg(fd, rx, 1024, MSG_DONTWAIT, NULL);
                if (k <= 0) break;
                for (int i = 0; i < k; i++) {
                    struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA((struct cmsghdr *)rxc[i]);
                    uint32_t mine = ntohl(info->ipi_addr.s_addr) - 0x7f010001;
                    int leg = mine / 256 * 250 + mine % 256;
                    if (rx[i].msg_len != 172 || leg < 0 || leg >= n) { stray++; continue; }
                    uint16_t seq = ntohs(*(uint16_t *)(rxb[i] + 2));
                    if (began[leg] && (uint16_t)(seq - last[leg]) != 1) lost += (uint16_t)(seq - last[leg] - 1);
                    began[leg] = 1; last[leg] = seq; heard[leg]++; received++;
                }
                if (k < 1024) break;
            }
            next.tv_nsec += 20000000 / GROUPS;
            if (next.tv_nsec >= 1000000000) { next.tv_nsec -= 1000000000; next.tv_sec++; }
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }
    long least = 1L << 60;
    for (int i = 0; i < n; i++) if (heard[i] < least) least = heard[i];
    printf("{\"phones\": %d, \"received\": %ld, \"lost\": %ld, \"stray\": %ld, \"least_heard\": %ld}\n", n, received, lost, stray, least);
    return 0;
}
