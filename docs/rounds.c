/* Two buffers a round, as a decoder has them: read into one, convert into the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 20, ROUNDS = 200 };

int main(void) {
    long sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char *in = malloc(SIZE), *out = malloc(SIZE);
        memset(in, round, SIZE);
        memcpy(out, in, SIZE);
        sum += out[round];
        free(in);
        free(out);
    }
    printf("%ld\n", sum);
}
