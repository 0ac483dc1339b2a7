/* Read texts, a line of UTF-8 each, from standard input; print the labels of each as a line of JSON.

   decide [-p] onnx/model_text.onnx     -p adds every label's probability
*/
#define _POSIX_C_SOURCE 200809L
#include <onnxruntime_c_api.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBABILITIES, PREDICTIONS, OUTPUTS };

static const char *const input_names[] = {"text"};
static const char *const output_names[] = {"probabilities", "predictions"};
static const OrtApi *ort;

/* Whether the character at `at` could act on a terminal: C0, DEL, C1 and the separators of lines in UTF-8. */
static bool is_control(const unsigned char *at) {
    return *at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) ||
           (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9));
}

/* Graphs come from anybody, and what onnxruntime says of one holds their names. */
static void print_line(const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        fputc(is_control(at) ? '?' : *at, stderr);
}

static void fail(const char *place, const char *message) {
    fflush(stdout);
    fputs("error: ", stderr);
    print_line(place);
    fputs(": ", stderr);
    print_line(message);
    fputc('\n', stderr);
    exit(1);
}

static void check(const char *place, OrtStatus *status) {
    if (status) fail(place, ort->GetErrorMessage(status));
}

/* The byte after the JSON string that starts at `quote`, or NULL. */
static const char *end_of_string(const char *quote) {
    const char *at = quote + 1;
    while (*at && *at != '"') at += *at == '\\' && at[1] ? 2 : 1;
    return *at ? at + 1 : NULL;
}

/* The next string of a JSON array of strings, as it stands there, quotes included; NULL after the last. */
static const char *next_label(const char *at, size_t *length) {
    const char *start = strchr(at, '"'), *end = start ? end_of_string(start) : NULL;
    if (end) *length = (size_t)(end - start);
    return end ? start : NULL;
}

/* The labels of the graph's metadata, a JSON array of strings; `count` is their number. */
static char *read_labels(const char *path, const OrtSession *session, OrtAllocator *allocator,
                         size_t *count) {
    OrtModelMetadata *metadata = NULL;
    char *labels = NULL;
    size_t length = 0;
    check(path, ort->SessionGetModelMetadata(session, &metadata));
    check(path, ort->ModelMetadataLookupCustomMetadataMap(metadata, allocator, "labels", &labels));
    ort->ReleaseModelMetadata(metadata);
    if (!labels) fail(path, "the graph's metadata have no labels");
    for (const unsigned char *at = (const unsigned char *)labels; *at; at++)
        if (is_control(at)) fail(path, "the labels of the graph's metadata hold a control character");
    *count = 0;
    for (const char *label = labels; (label = next_label(label, &length)); label += length) ++*count;
    return labels;
}

/* The `count` values of an output, whose shape must be one row of so many. */
static const void *values(const char *path, OrtValue *output, ONNXTensorElementDataType type, size_t count) {
    OrtTensorTypeAndShapeInfo *info = NULL;
    ONNXTensorElementDataType actual_type;
    size_t rank = 0;
    int64_t shape[2] = {0, 0};
    void *data = NULL;
    check(path, ort->GetTensorTypeAndShape(output, &info));
    check(path, ort->GetTensorElementType(info, &actual_type));
    check(path, ort->GetDimensionsCount(info, &rank));
    if (rank == 2) check(path, ort->GetDimensions(info, shape, rank));
    ort->ReleaseTensorTypeAndShapeInfo(info);
    if (actual_type != type || shape[0] != 1 || shape[1] < 1 || (uint64_t)shape[1] != count)
        fail(path, "an output does not have one value per label, of the right type");
    check(path, ort->GetTensorMutableData(output, &data));
    return data;
}

static void print_answer(const char *labels, size_t count, const bool *predictions,
                         const float *probabilities) {
    const char *label = labels, *separator = "";
    size_t length = 0;
    printf("{\"labels\": [");
    for (size_t i = 0; i < count; i++, label += length) {
        label = next_label(label, &length);
        if (!predictions[i]) continue;
        fputs(separator, stdout);
        fwrite(label, 1, length, stdout);
        separator = ", ";
    }
    printf("]");
    for (size_t i = 0; probabilities && i < count; i++)
        printf("%s%.9g", i ? ", " : ", \"probabilities\": [", probabilities[i]);
    printf(probabilities ? "]}\n" : "}\n");
}

int main(int argument_count, char **arguments) {
    const bool with_probabilities = argument_count > 1 && !strcmp(arguments[1], "-p");
    const char *path = arguments[argument_count - 1];
    const int64_t shape[] = {1};
    OrtEnv *env = NULL;
    OrtSessionOptions *options = NULL;
    OrtSession *session = NULL;
    OrtAllocator *allocator = NULL;
    OrtValue *text = NULL;
    char *line = NULL, place[40];
    size_t capacity = 0, count = 0, number = 0;
    if (argument_count - with_probabilities != 2) {
        fprintf(stderr, "usage: %s [-p] GRAPH < TEXTS\n", arguments[0]);
        return 2;
    }
    if (!(ort = OrtGetApiBase()->GetApi(ORT_API_VERSION)))
        fail(OrtGetApiBase()->GetVersionString(), "this onnxruntime is older than its headers");
    check(path, ort->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "decide", &env));
    check(path, ort->CreateSessionOptions(&options));
    check(path, ort->CreateSession(env, path, options, &session));
    check(path, ort->GetAllocatorWithDefaultOptions(&allocator));
    check(path,
          ort->CreateTensorAsOrtValue(allocator, shape, 1, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, &text));
    char *labels = read_labels(path, session, allocator, &count);

    for (ssize_t length; (length = getline(&line, &capacity, stdin)) >= 0;) {
        OrtValue *outputs[OUTPUTS] = {NULL, NULL};
        char *buffer = NULL;
        snprintf(place, sizeof place, "line %zu", ++number);
        if (length && line[length - 1] == '\n') length--;
        /* A text may hold NUL. */
        check(place, ort->GetResizedStringTensorElementBuffer(text, 0, (size_t)length, &buffer));
        memcpy(buffer, line, (size_t)length);
        check(place, ort->Run(session, NULL, input_names, (const OrtValue *const *)&text, 1, output_names,
                              OUTPUTS, outputs));
        const float *probabilities =
            values(path, outputs[PROBABILITIES], ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, count);
        const bool *predictions =
            values(path, outputs[PREDICTIONS], ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, count);
        print_answer(labels, count, predictions, with_probabilities ? probabilities : NULL);
        for (int i = 0; i < OUTPUTS; i++) ort->ReleaseValue(outputs[i]);
    }
    if (ferror(stdin) || fflush(stdout)) fail("standard input or output", "cannot be read or written");
    check(path, ort->AllocatorFree(allocator, labels));
    free(line);
    ort->ReleaseValue(text);
    ort->ReleaseSession(session);
    ort->ReleaseSessionOptions(options);
    ort->ReleaseEnv(env);
    return 0;
}
