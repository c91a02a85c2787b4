// 100 MB from malloc, then 100 MB from mmap, each written once: what does each line cost?
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define SIZE 100000000UL

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(void) {
    for (int round = 0; round < 5; round++) {
        double t0 = now();
        char *heap = malloc(SIZE);
        double t1 = now();
        memset(heap, 0, SIZE);
        double t2 = now();
        free(heap);
        double t3 = now();
        char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        double t4 = now();
        memset(map, 1, SIZE);
        double t5 = now();
        munmap(map, SIZE);
        double t6 = now();
        printf("malloc %.3f write %.1f free %.1f   mmap %.3f write %.1f munmap %.1f ms\n", t1 - t0,
               t2 - t1, t3 - t2, t4 - t3, t5 - t4, t6 - t5);
    }
}
