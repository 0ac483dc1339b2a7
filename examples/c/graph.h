/* An artifact's graph in onnxruntime: token ids to probabilities and decisions. */
#ifndef GRAPH_H
#define GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Graph Graph;

/* Opens a graph; NULL, and a message, where that fails. */
Graph *graph_open(const char *path);
void graph_close(Graph *graph);

/* A text's most tokens, and the number of labels, as the graph's metadata have them. */
size_t graph_max_length(const Graph *graph);
size_t graph_labels(const Graph *graph);
/* A label as JSON, quotes included; `length` is its bytes. */
const char *graph_label(const Graph *graph, size_t label, size_t *length);

typedef struct {
    const float *probabilities; /* [batch, labels] */
    const bool *decisions;      /* [batch, labels]: probability >= threshold, decided in the graph */
} Answers;

/* Runs `ids` and their `mask`, both [batch, sequence]. The answers are good until the next call. */
bool graph_run(Graph *graph, int64_t *ids, int64_t *mask, size_t batch, size_t sequence, Answers *answers);

#endif
