/* A binary heap of pointers; each node knows its place, so it can be moved. */
#include "heap.h"

#include <assert.h>

int runnel__heap_reserve(struct runnel__heap *heap, struct runnel__mem *mem,
                         size_t count) {
  if (count <= heap->cap)
    return RUNNEL_OK;
  size_t cap = heap->cap < 16 ? 16 : heap->cap + heap->cap / 2;
  if (cap < count)
    cap = count;
  if (cap > SIZE_MAX / sizeof(struct runnel__heap_node *))
    return RUNNEL_ENOMEM;
  void *nodes = runnel__realloc(mem, heap->nodes, cap * sizeof(heap->nodes[0]));
  if (nodes == NULL)
    return RUNNEL_ENOMEM;
  heap->nodes = nodes;
  heap->cap = cap;
  return RUNNEL_OK;
}

void runnel__heap_free(struct runnel__heap *heap, struct runnel__mem *mem) {
  runnel__free(mem, heap->nodes);
  *heap = (struct runnel__heap){0};
}

static void put(struct runnel__heap *heap, struct runnel__heap_node *node,
                size_t i) {
  heap->nodes[i] = node;
  node->place = i + 1;
}

static void sift_up(struct runnel__heap *heap, struct runnel__heap_node *node,
                    size_t i) {
  while (i > 0) {
    size_t parent = (i - 1) / 2;
    if (heap->nodes[parent]->at_ms <= node->at_ms)
      break;
    put(heap, heap->nodes[parent], i);
    i = parent;
  }
  put(heap, node, i);
}

static void sift_down(struct runnel__heap *heap, struct runnel__heap_node *node,
                      size_t i) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= heap->len)
      break;
    if (child + 1 < heap->len &&
        heap->nodes[child + 1]->at_ms < heap->nodes[child]->at_ms)
      child++;
    if (heap->nodes[child]->at_ms >= node->at_ms)
      break;
    put(heap, heap->nodes[child], i);
    i = child;
  }
  put(heap, node, i);
}

/* Places `node` from i on, whichever way its deadline pulls it. */
static void sift(struct runnel__heap *heap, struct runnel__heap_node *node,
                 size_t i) {
  if (i > 0 && heap->nodes[(i - 1) / 2]->at_ms > node->at_ms)
    sift_up(heap, node, i);
  else
    sift_down(heap, node, i);
}

void runnel__heap_set(struct runnel__heap *heap, struct runnel__heap_node *node,
                      int64_t at_ms) {
  node->at_ms = at_ms;
  if (node->place != 0) {
    sift(heap, node, node->place - 1);
    return;
  }
  assert(heap->len < heap->cap);
  heap->len++;
  sift_up(heap, node, heap->len - 1);
}

void runnel__heap_remove(struct runnel__heap *heap,
                         struct runnel__heap_node *node) {
  if (node->place == 0)
    return;
  size_t i = node->place - 1;
  node->place = 0;
  struct runnel__heap_node *last = heap->nodes[--heap->len];
  if (last != node)
    sift(heap, last, i);
}

struct runnel__heap_node *runnel__heap_first(const struct runnel__heap *heap) {
  return heap->len == 0 ? NULL : heap->nodes[0];
}
