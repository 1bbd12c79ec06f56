/* Maps the node given, shared, and for each `N` on standard input adds 1 to its N-th 32-bit word; says the sum it had. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
  struct stat status;
  int descriptor = argc == 2 ? open(argv[1], O_RDWR) : -1;
  if (descriptor < 0 || fstat(descriptor, &status) != 0) return perror("open"), 1;
  volatile uint32_t *words = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (words == MAP_FAILED) return perror("mmap"), 1;
  for (unsigned long n; scanf("%lu", &n) == 1; fflush(stdout)) {
    if (n >= status.st_size / sizeof *words) return fprintf(stderr, "no word %lu\n", n), 1;
    printf("%u\n", words[n]++);
  }
  return 0;
}
