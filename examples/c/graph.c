#include "graph.h"

#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 2, OUTPUTS = 2 };

static const char *const input_names[INPUTS] = {"input_ids", "attention_mask"};
static const char *const output_names[OUTPUTS] = {"probabilities", "predictions"};

struct Graph {
    const OrtApi *api;
    OrtEnv *env;
    OrtSession *session;
    OrtMemoryInfo *memory;
    OrtValue *outputs[OUTPUTS];
    char *labels; /* a JSON array of strings */
    size_t count, max_length;
};

/* Prints what a call found wrong; true where all is well. */
static bool good(const Graph *graph, OrtStatus *status) {
    if (!status) return true;
    fprintf(stderr, "error: %s\n", graph->api->GetErrorMessage(status));
    graph->api->ReleaseStatus(status);
    return false;
}

/* The byte after the JSON string that starts at `quote`, or NULL. */
static const char *end_of_string(const char *quote) {
    const char *at = quote + 1;
    while (*at && *at != '"') at += *at == '\\' && at[1] ? 2 : 1;
    return *at ? at + 1 : NULL;
}

const char *graph_label(const Graph *graph, size_t label, size_t *length) {
    const char *start = strchr(graph->labels, '"'), *end = NULL;
    for (; start && (end = end_of_string(start)) && label; label--) start = strchr(end, '"');
    if (!start || !end || label) return NULL;
    *length = (size_t)(end - start);
    return start;
}

static char *metadata(Graph *graph, const OrtModelMetadata *all, OrtAllocator *allocator, const char *key) {
    char *value = NULL, *copy = NULL;
    if (!good(graph, graph->api->ModelMetadataLookupCustomMetadataMap(all, allocator, key, &value))) return NULL;
    if (value && (copy = malloc(strlen(value) + 1))) strcpy(copy, value);
    if (value) allocator->Free(allocator, value);
    if (!copy) fprintf(stderr, "error: the graph's metadata have no %s\n", key);
    return copy;
}

static bool read_metadata(Graph *graph) {
    OrtModelMetadata *all = NULL;
    OrtAllocator *allocator = NULL;
    char *limit = NULL;
    size_t length;
    if (good(graph, graph->api->GetAllocatorWithDefaultOptions(&allocator)) &&
        good(graph, graph->api->SessionGetModelMetadata(graph->session, &all))) {
        graph->labels = metadata(graph, all, allocator, "labels");
        limit = metadata(graph, all, allocator, "max_length");
        graph->api->ReleaseModelMetadata(all);
    }
    if (limit) graph->max_length = strtoul(limit, NULL, 10);
    free(limit);
    while (graph->labels && graph_label(graph, graph->count, &length)) graph->count++;
    if (graph->count && graph->max_length >= 2) return true;
    fprintf(stderr, "error: labels or max_length of the graph's metadata are not an artifact's\n");
    return false;
}

static bool open_session(Graph *graph, const char *path) {
    OrtSessionOptions *options = NULL;
    bool opened = false;
    if (good(graph, graph->api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "decide", &graph->env)) &&
        good(graph, graph->api->CreateSessionOptions(&options))) {
        opened = good(graph, graph->api->CreateSession(graph->env, path, options, &graph->session));
        graph->api->ReleaseSessionOptions(options);
    }
    return opened &&
           good(graph, graph->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &graph->memory));
}

Graph *graph_open(const char *path) {
    Graph *graph = calloc(1, sizeof *graph);
    if (!graph) return NULL;
    graph->api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    if (!graph->api)
        fprintf(stderr, "error: onnxruntime %s is older than its headers\n", OrtGetApiBase()->GetVersionString());
    if (graph->api && open_session(graph, path) && read_metadata(graph)) return graph;
    graph_close(graph);
    return NULL;
}

static void release_outputs(Graph *graph) {
    for (int i = 0; i < OUTPUTS; i++) {
        if (graph->outputs[i]) graph->api->ReleaseValue(graph->outputs[i]);
        graph->outputs[i] = NULL;
    }
}

void graph_close(Graph *graph) {
    if (!graph) return;
    release_outputs(graph);
    if (graph->memory) graph->api->ReleaseMemoryInfo(graph->memory);
    if (graph->session) graph->api->ReleaseSession(graph->session);
    if (graph->env) graph->api->ReleaseEnv(graph->env);
    free(graph->labels);
    free(graph);
}

size_t graph_max_length(const Graph *graph) { return graph->max_length; }

size_t graph_labels(const Graph *graph) { return graph->count; }

bool graph_run(Graph *graph, int64_t *ids, int64_t *mask, size_t batch, size_t sequence, Answers *answers) {
    const int64_t shape[] = {(int64_t)batch, (int64_t)sequence};
    int64_t *const arrays[INPUTS] = {ids, mask};
    void *data[OUTPUTS] = {NULL, NULL};
    OrtValue *inputs[INPUTS] = {NULL, NULL};
    bool well = true;
    release_outputs(graph);
    for (int i = 0; well && i < INPUTS; i++)
        well = good(graph, graph->api->CreateTensorWithDataAsOrtValue(
                               graph->memory, arrays[i], batch * sequence * sizeof *ids, shape, 2,
                               ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, &inputs[i]));
    well = well && good(graph, graph->api->Run(graph->session, NULL, input_names, (const OrtValue *const *)inputs,
                                               INPUTS, output_names, OUTPUTS, graph->outputs));
    for (int i = 0; well && i < OUTPUTS; i++)
        well = good(graph, graph->api->GetTensorMutableData(graph->outputs[i], &data[i]));
    for (int i = 0; i < INPUTS; i++)
        if (inputs[i]) graph->api->ReleaseValue(inputs[i]);
    answers->probabilities = data[0];
    answers->decisions = data[1];
    return well;
}
