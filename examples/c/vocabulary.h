/* The tokens of a vocab.txt, found by their text. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include "wordpiece.h"

enum { PAD, UNK, CLS, SEP, MASK, SPECIALS };

/* The special tokens, as they stand in a vocabulary and, typed in a text, are taken. */
extern const char *const special_names[SPECIALS];

typedef struct {
    const char *text;
    size_t length;
    int64_t id;
} Token;

struct Vocabulary {
    char *content;
    Token *tokens; /* sorted by text */
    size_t count;
    int64_t special[SPECIALS];
};

/* Returns a token's id, or -1. */
int64_t vocabulary_find(const Vocabulary *vocabulary, const char *text, size_t length);

#endif
