/* Preloaded into a process, tells it a wall clock that is off by what the file CHAOS_CLOCK says, in
   whole seconds. Clocks that only pass (CLOCK_MONOTONIC) are left alone. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*right)(clockid_t, struct timespec *);

__attribute__((constructor)) static void find(void)
{
    *(void **) &right = dlsym(RTLD_NEXT, "clock_gettime");
}

static long offset(void)
{
    const char *path = getenv("CHAOS_CLOCK");
    char text[32];
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = right ? right(clock, now) : (int) syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec told;
    (void) zone;
    int failed = clock_gettime(CLOCK_REALTIME, &told);
    if (!failed) {
        now->tv_sec = told.tv_sec;
        now->tv_usec = told.tv_nsec / 1000;
    }
    return failed;
}

time_t time(time_t *told)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told)
        *told = now.tv_sec;
    return now.tv_sec;
}
