/* Texts on standard input, one a line, to their labels: one line of JSON each.

   decide [-p] GRAPH VOCABULARY     -p adds every label's probability
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "wordpiece.h"

enum { BATCH = 8 };

typedef struct {
    Graph *graph;
    Vocabulary *vocabulary;
    bool show_probabilities;
    int64_t *rows;         /* token ids [BATCH, max_length] of the texts read so far */
    int64_t *ids, *mask;   /* the same, padded to the longest: [batch, sequence] */
    size_t lengths[BATCH];
    size_t batch;
} Program;

static void print_answer(const Program *program, const float *probabilities, const bool *decisions) {
    const size_t labels = graph_labels(program->graph);
    const char *separator = "";
    printf("{\"labels\": [");
    for (size_t label = 0; label < labels; label++) {
        size_t length = 0;
        const char *name = graph_label(program->graph, label, &length);
        if (!decisions[label]) continue;
        printf("%s%.*s", separator, (int)length, name);
        separator = ", ";
    }
    printf("]");
    for (size_t label = 0; program->show_probabilities && label < labels; label++)
        printf("%s%.9g", label ? ", " : ", \"probabilities\": [", probabilities[label]);
    printf(program->show_probabilities ? "]}\n" : "}\n");
}

static bool run_batch(Program *program) {
    const size_t limit = graph_max_length(program->graph), labels = graph_labels(program->graph);
    size_t sequence = 0;
    Answers answers;
    for (size_t row = 0; row < program->batch; row++)
        if (program->lengths[row] > sequence) sequence = program->lengths[row];
    for (size_t row = 0; row < program->batch; row++)
        for (size_t column = 0; column < sequence; column++) {
            const bool real = column < program->lengths[row];
            program->ids[row * sequence + column] = real ? program->rows[row * limit + column] : 0;
            program->mask[row * sequence + column] = real;
        }
    if (!graph_run(program->graph, program->ids, program->mask, program->batch, sequence, &answers)) return false;
    for (size_t row = 0; row < program->batch; row++)
        print_answer(program, answers.probabilities + row * labels, answers.decisions + row * labels);
    program->batch = 0;
    return true;
}

static bool add_text(Program *program, const char *text, size_t length) {
    const size_t limit = graph_max_length(program->graph), row = program->batch;
    if (length && text[length - 1] == '\n') length--;
    program->lengths[row] = wordpiece_encode(program->vocabulary, text, length, program->rows + row * limit, limit);
    if (!program->lengths[row]) fprintf(stderr, "error: a text is too long, or memory ran out\n");
    program->batch++;
    return program->lengths[row] && (program->batch < BATCH || run_batch(program));
}

static bool run(Program *program) {
    const size_t size = BATCH * graph_max_length(program->graph) * sizeof(int64_t);
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool well;
    program->rows = malloc(size);
    program->ids = malloc(size);
    program->mask = malloc(size);
    well = program->rows && program->ids && program->mask;
    while (well && (length = getline(&line, &room, stdin)) >= 0) well = add_text(program, line, (size_t)length);
    well = well && (!program->batch || run_batch(program));
    free(line);
    return well && !ferror(stdin) && !fflush(stdout);
}

int main(int count, char **arguments) {
    Program program = {0};
    bool well = false;
    program.show_probabilities = count > 1 && !strcmp(arguments[1], "-p");
    if (count - program.show_probabilities != 3) {
        fprintf(stderr, "usage: %s [-p] GRAPH VOCABULARY < TEXTS\n", arguments[0]);
        return 2;
    }
    program.graph = graph_open(arguments[count - 2]);
    if (program.graph && (program.vocabulary = vocabulary_open(arguments[count - 1]))) well = run(&program);
    free(program.rows);
    free(program.ids);
    free(program.mask);
    vocabulary_close(program.vocabulary);
    graph_close(program.graph);
    return well ? 0 : 1;
}
