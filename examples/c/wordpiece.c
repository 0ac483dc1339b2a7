/* As Hugging Face's BertNormalizer, BertPreTokenizer and WordPiece do it; ICU knows the characters. */
#include "wordpiece.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "vocabulary.h"

enum { TEXT_BYTES = 1 << 28, WORD_CHARACTERS = 100, UTF8_BYTES = 4, UNICODE = 8, REPLACEMENT = 0xFFFD };

typedef struct {
    const Vocabulary *vocabulary;
    int64_t *ids;
    size_t count, limit;
    char word[2 + UTF8_BYTES * WORD_CHARACTERS]; /* "##", then the word */
    size_t starts[WORD_CHARACTERS + 1];          /* where its characters start in `word` */
    size_t characters;                           /* may be more than fit: such a word is unknown */
} Encoder;

/* The reference's categories are Unicode 8's: later characters are of none there, six have changed since. */
static int category(UChar32 c) {
    UVersionInfo age;
    if (c == 0x166D || c == 0x111C9) return U_OTHER_PUNCTUATION;
    if (c == 0x1734) return U_NON_SPACING_MARK;
    if (c == 0x1885 || c == 0x1886) return U_OTHER_LETTER;
    if (c == 0xA9BD) return U_COMBINING_SPACING_MARK;
    u_charAge(c, age);
    return age[0] && age[0] <= UNICODE ? u_charType(c) : U_UNASSIGNED;
}

static bool is_dropped(UChar32 c) {
    const int type = category(c);
    if (c == '\t' || c == '\n' || c == '\r') return false;
    return c == REPLACEMENT || type == U_CONTROL_CHAR || type == U_FORMAT_CHAR || type == U_PRIVATE_USE_CHAR;
}

static bool is_punctuation(UChar32 c) {
    if (c < 0x80) return c > ' ' && c < 0x7F && !u_isalnum(c);
    return (U_MASK(category(c)) & U_GC_P_MASK) != 0;
}

/* The reference's blocks of ideographs, each a word. */
static bool is_ideograph(UChar32 c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) ||
           (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static void emit(Encoder *encoder, int64_t id) {
    if (encoder->count < encoder->limit) encoder->ids[encoder->count++] = id;
}

/* Finds the longest token that starts at a character of the word; its end, or `start` where there is none. */
static size_t longest(Encoder *encoder, size_t start, int64_t *id) {
    char *from = encoder->word + encoder->starts[start];
    char kept[2];
    size_t end = encoder->characters;
    if (start) { /* "##" goes over the two bytes before a later part, and away again */
        from -= 2;
        memcpy(kept, from, 2);
        memcpy(from, "##", 2);
    }
    while (end > start) {
        *id = vocabulary_find(encoder->vocabulary, from, (size_t)(encoder->word + encoder->starts[end] - from));
        if (*id >= 0) break;
        end--;
    }
    if (start) memcpy(from, kept, 2);
    return end;
}

/* Splits the word into the longest tokens from left to right; one part unknown makes it all unknown. */
static void end_word(Encoder *encoder) {
    const size_t before = encoder->count;
    const bool too_long = encoder->characters > WORD_CHARACTERS;
    size_t start = 0, end = 0;
    int64_t id = -1;
    while (!too_long && start < encoder->characters) {
        if ((end = longest(encoder, start, &id)) == start) break;
        emit(encoder, id);
        start = end;
    }
    if (start < encoder->characters) {
        encoder->count = before;
        emit(encoder, encoder->vocabulary->special[UNK]);
    }
    encoder->characters = 0;
}

static void append(Encoder *encoder, UChar32 c) {
    if (encoder->characters >= WORD_CHARACTERS) {
        encoder->characters = WORD_CHARACTERS + 1;
        return;
    }
    size_t at = encoder->characters ? encoder->starts[encoder->characters] : 2;
    encoder->starts[encoder->characters++] = at;
    U8_APPEND_UNSAFE(encoder->word, at, c);
    encoder->starts[encoder->characters] = at;
}

static void take(Encoder *encoder, UChar32 c) {
    if (category(c) == U_NON_SPACING_MARK) return;
    c = u_tolower(c);
    const bool alone = is_punctuation(c) || is_ideograph(c);
    if (alone || u_isUWhiteSpace(c)) end_word(encoder);
    if (u_isUWhiteSpace(c)) return;
    append(encoder, c);
    if (alone) end_word(encoder);
}

/* Encodes text without special tokens in it; false where it is over TEXT_BYTES or memory runs out. */
static bool encode_plain(Encoder *encoder, const char *text, size_t length) {
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&status);
    /* NFD makes at most four units of one; UTF-8 has no fewer bytes than UTF-16 has units. */
    const int32_t room = length > TEXT_BYTES ? 0 : (int32_t)length, wide = 4 * room;
    UChar *raw, *decomposed;
    int32_t units = 0, kept = 0, i = 0, j = 0;
    UChar32 c;
    if (!length) return true;
    if (length > TEXT_BYTES || !(raw = malloc((size_t)(room + wide) * sizeof *raw))) return false;
    decomposed = raw + room;
    u_strFromUTF8WithSub(raw, room, &units, text, room, REPLACEMENT, NULL, &status);
    while (U_SUCCESS(status) && i < units) {
        U16_NEXT(raw, i, units, c);
        if (!is_dropped(c)) U16_APPEND_UNSAFE(raw, kept, c);
    }
    units = unorm2_normalize(nfd, raw, kept, decomposed, wide, &status);
    while (U_SUCCESS(status) && j < units && encoder->count < encoder->limit) {
        U16_NEXT(decomposed, j, units, c);
        take(encoder, c);
    }
    end_word(encoder);
    free(raw);
    return U_SUCCESS(status);
}

static int special_at(const char *text, size_t length) {
    for (int i = 0; i < SPECIALS; i++) {
        const size_t name = strlen(special_names[i]);
        if (length >= name && !memcmp(text, special_names[i], name)) return i;
    }
    return -1;
}

size_t wordpiece_encode(const Vocabulary *vocabulary, const char *text, size_t length, int64_t *ids,
                        size_t max_length) {
    Encoder encoder = {.vocabulary = vocabulary, .ids = ids, .limit = max_length - 1};
    size_t start = 0, at = 0;
    emit(&encoder, vocabulary->special[CLS]);
    while (at < length) {
        const int special = special_at(text + at, length - at);
        if (special < 0) {
            at++;
            continue;
        }
        if (!encode_plain(&encoder, text + start, at - start)) return 0;
        emit(&encoder, vocabulary->special[special]);
        start = at += strlen(special_names[special]);
    }
    if (!encode_plain(&encoder, text + start, length - start)) return 0;
    ids[encoder.count++] = vocabulary->special[SEP];
    return encoder.count;
}
