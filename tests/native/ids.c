/* Texts on standard input, one a line, to their token ids, for comparing tokenizers: ids VOCABULARY MAX_LENGTH */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wordpiece.h"

int main(int count, char **arguments) {
    const size_t limit = count == 3 ? strtoul(arguments[2], NULL, 10) : 0;
    Vocabulary *vocabulary = limit >= 2 ? vocabulary_open(arguments[1]) : NULL;
    int64_t *ids = malloc((limit ? limit : 1) * sizeof *ids);
    char *line = NULL;
    size_t room = 0, found = 1;
    ssize_t length;
    while (vocabulary && ids && found && (length = getline(&line, &room, stdin)) >= 0) {
        if (length && line[length - 1] == '\n') length--;
        found = wordpiece_encode(vocabulary, line, (size_t)length, ids, limit);
        for (size_t i = 0; i < found; i++) printf(i + 1 < found ? "%" PRId64 " " : "%" PRId64 "\n", ids[i]);
    }
    free(line);
    free(ids);
    vocabulary_close(vocabulary);
    return vocabulary && found ? 0 : 1;
}
