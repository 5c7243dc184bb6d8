/* Loaded in front of the C library: a system whose clock and name service the tests set while muster runs.
 * ODD_SYSTEM names a file of 512 bytes: the seconds by which the clock of the day is off (int64), then, as text,
 * the addresses of service.test, separated by commas (none: the name cannot be looked up). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct odd {
    int64_t seconds_off;
    char addresses[504];
};
static const struct odd* odd;

__attribute__((constructor)) static void start(void) {
    const char* const name = getenv("ODD_SYSTEM");
    const int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void* const at = mmap(NULL, sizeof *odd, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) odd = at;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec* now) {
    static int (*real)(clockid_t, struct timespec*);
    if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    const int failed = real(clock, now);
    if (!failed && odd && clock == CLOCK_REALTIME) now->tv_sec += odd->seconds_off;
    return failed;
}

time_t time(time_t* to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** found) {
    static int (*real)(const char*, const char*, const struct addrinfo*, struct addrinfo**);
    if (!real)
        real = (int (*)(const char*, const char*, const struct addrinfo*, struct addrinfo**))dlsym(RTLD_NEXT,
                                                                                                  "getaddrinfo");
    if (!odd || !node || strcmp(node, "service.test") != 0) return real(node, service, hints, found);
    char list[sizeof odd->addresses];
    memcpy(list, odd->addresses, sizeof list);
    list[sizeof list - 1] = 0;
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    numeric.ai_flags &= ~AI_ADDRCONFIG;
    struct addrinfo** end = found;
    *found = NULL;
    char* rest = NULL;
    for (char* one = strtok_r(list, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        if (real(one, service, &numeric, end) != 0) break;
        while (*end) end = &(*end)->ai_next;
    }
    return *found ? 0 : EAI_AGAIN;
}
