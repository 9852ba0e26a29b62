/* The arguments of a benchmark; see pair.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

static int read_args(struct pair_args *args, int argc, char **argv) {
  *args = (struct pair_args){.only = ""};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0)
      args->json = 1;
    else if (strcmp(argv[i], "--quick") == 0)
      args->quick = 1;
    else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
      args->only = argv[++i];
    else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
      args->rounds = (int)strtol(argv[++i], NULL, 10);
      if (args->rounds < 1 || args->rounds > PAIR_ROUNDS_MAX)
        return -1;
    } else {
      return -1;
    }
  }
  return 0;
}

int pair_read_args(struct pair_args *args, int argc, char **argv,
                   const char *program, int quick_rounds) {
  if (read_args(args, argc, argv) != 0) {
    fprintf(stderr,
            "usage: %s [--json] [--quick] [--rounds N, 1 to %d] "
            "[--only TEXT]\n",
            program, PAIR_ROUNDS_MAX);
    return -1;
  }
  if (args->rounds == 0)
    args->rounds = args->quick ? quick_rounds : 5;
  return 0;
}
