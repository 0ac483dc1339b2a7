/* BERT's uncased WordPiece tokenizer: UTF-8 text to token ids. */
#ifndef WORDPIECE_H
#define WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

typedef struct Vocabulary Vocabulary;

/* Reads vocab.txt (one token a line, its number is its id); NULL, and a message, where that fails. */
Vocabulary *vocabulary_open(const char *path);
void vocabulary_close(Vocabulary *vocabulary);

/* Writes at most `max_length` (at least 2) ids, [CLS] first and [SEP] last, longer texts cut before [SEP];
   returns their number, 0 where memory runs out or a text has over 256 MiB. Bytes that are not UTF-8 are left out. */
size_t wordpiece_encode(const Vocabulary *vocabulary, const char *text, size_t length, int64_t *ids,
                        size_t max_length);

#endif
