/* SPDX-License-Identifier: MIT */
/* widen_generator FROM.safetensors TO.safetensors */
#include <stdio.h>

#include "widen.h"

int main(int argc, char **argv)
{
    struct error error = {0};
    if (argc == 3 && widen_generator(argv[1], argv[2], &error) == STATUS_OK)
        return 0;
    fprintf(stderr, "widen_generator: %s\n", argc == 3 ? error.message : "usage: widen_generator FROM TO");
    return 1;
}
