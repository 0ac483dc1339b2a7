#include "vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const special_names[SPECIALS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static int compare(const void *left, const void *right) {
    const Token *a = left, *b = right;
    const int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

int64_t vocabulary_find(const Vocabulary *vocabulary, const char *text, size_t length) {
    const Token key = {text, length, 0};
    const Token *found = bsearch(&key, vocabulary->tokens, vocabulary->count, sizeof key, compare);
    return found ? found->id : -1;
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *content = NULL;
    long end;
    if (!file) return NULL;
    if (!fseek(file, 0, SEEK_END) && (end = ftell(file)) > 0 && !fseek(file, 0, SEEK_SET)) {
        *size = (size_t)end;
        content = malloc(*size);
        if (content && fread(content, 1, *size, file) != *size) {
            free(content);
            content = NULL;
        }
    }
    fclose(file);
    return content;
}

static int split_lines(Vocabulary *vocabulary, size_t size) {
    size_t lines = 1, start = 0;
    for (size_t i = 0; i < size; i++) lines += vocabulary->content[i] == '\n';
    vocabulary->tokens = malloc(lines * sizeof *vocabulary->tokens);
    if (!vocabulary->tokens) return -1;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && vocabulary->content[i] != '\n') continue;
        if (i == size && start == size) break; /* nothing after the last line's end */
        const Token token = {vocabulary->content + start, i - start, (int64_t)vocabulary->count};
        vocabulary->tokens[vocabulary->count++] = token;
        start = i + 1;
    }
    qsort(vocabulary->tokens, vocabulary->count, sizeof *vocabulary->tokens, compare);
    return 0;
}

Vocabulary *vocabulary_open(const char *path) {
    Vocabulary *vocabulary = calloc(1, sizeof *vocabulary);
    size_t size = 0;
    if (!vocabulary || !(vocabulary->content = read_file(path, &size)) || split_lines(vocabulary, size)) {
        fprintf(stderr, "error: %s: cannot be read, or is empty\n", path);
        vocabulary_close(vocabulary);
        return NULL;
    }
    for (int i = 0; i < SPECIALS; i++) {
        const char *name = special_names[i];
        if ((vocabulary->special[i] = vocabulary_find(vocabulary, name, strlen(name))) >= 0) continue;
        fprintf(stderr, "error: %s: found no token %s; expected BERT's vocabulary\n", path, name);
        vocabulary_close(vocabulary);
        return NULL;
    }
    return vocabulary;
}

void vocabulary_close(Vocabulary *vocabulary) {
    if (!vocabulary) return;
    free(vocabulary->tokens);
    free(vocabulary->content);
    free(vocabulary);
}
