"""Put the tokenizer as nodes in front of a finished graph: text in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx_ir as ir
from tokenizers import Tokenizer

from core.contract import ATTENTION_MASK, BATCH_AXIS, INPUT_IDS, IR_VERSION, OPSET, SEQUENCE_AXIS, TEXT
from core.errors import GraphError
from core.untrusted import tokenizer_file
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.tokenizer import alphabet as text_alphabet
from graphs.tokenizer import rows as text_rows
from graphs.tokenizer import symbols, wordpiece
from graphs.tokenizer import trie as text_trie


def read(path: Path) -> Tokenizer:
    """Read `tokenizer.json`.

    Raises:
        GraphError: it is missing, or not a tokenizer.
    """
    return tokenizer_file.load(path, GraphError)


def _vocabulary(model: dict[str, Any], alphabet: text_alphabet.Alphabet) -> text_trie.Trie:
    beginning: dict[text_trie.Word, int] = {(symbol,): token for symbol, token in alphabet.singles.items()}
    continuing: dict[text_trie.Word, int] = {}
    for token, number in model["vocab"].items():
        bare = token.removeprefix(text_alphabet.CONTINUES)
        word = tuple(alphabet.letters[letter] for letter in bare if letter in alphabet.letters)
        if word and len(word) == len(bare):
            (beginning if bare == token else continuing)[word] = number
    return text_trie.trie(beginning, continuing, alphabet.size)


def _most_tokens(described: dict[str, Any]) -> int:
    truncation = described["truncation"]
    if not truncation or truncation["direction"] != "Right" or described["padding"]:
        raise GraphError(
            f"tokenizer.json: found truncation {truncation} and padding {described['padding']}, expected a "
            "length, from the right, and no padding"
        )
    return int(truncation["max_length"])


def tokenizing(tokenizer: Tokenizer) -> ir.Model:
    """Return a BERT tokenizer as a graph: `text`, strings `[b]` → `input_ids`, `attention_mask`.

    Exact for every text of Unicode characters: what each character becomes is read off the tokenizer
    (`alphabet`), and WordPiece is the same longest match (`wordpiece`). Besides standard operators
    it has onnxruntime's own `Tokenizer` (com.microsoft), which cuts a text into characters.

    Returns:
        The graph; the outputs are int64 `[b, s]`, s the longest text's tokens, at most the tokenizer's
        truncation.

    Raises:
        GraphError: the tokenizer is not BERT's, pads, or never truncates.
    """
    described = text_alphabet.check(tokenizer)
    max_length = _most_tokens(described)
    alphabet = text_alphabet.alphabet(tokenizer)
    trie = _vocabulary(described["model"], alphabet)
    texts = ir.val(TEXT, ir.DataType.STRING, [BATCH_AXIS])
    imports = {"": OPSET, ops.MACHINE_LEARNING: 2, ops.MICROSOFT: 1}
    graph = ir.Graph([texts], [], nodes=[], opset_imports=imports, name="tokenizer")
    chain = Chain(graph, None, "text")
    symbol, batch = symbols.symbols(chain, texts, alphabet)
    most_letters = int(described["model"]["max_input_chars_per_word"])
    tokens = wordpiece.tokens(chain, symbol, alphabet, trie, most_letters)
    rows = text_rows.rows(chain, tokens, batch, max_length)
    for name, value in zip((INPUT_IDS, ATTENTION_MASK), rows, strict=True):
        value.name = name
        graph.outputs.append(ops.typed(value, ir.DataType.INT64, [BATCH_AXIS, SEQUENCE_AXIS]))
    return ir.Model(graph, ir_version=IR_VERSION)


def text(model: ir.Model, front: ir.Model) -> int:
    """Put a graph of `tokenizing` in front of a finished one, in place of its inputs.

    In: the inputs `input_ids` and `attention_mask`. Out: the input `text`, and the nodes that compute the
    two; everything behind them, and the metadata, as it was.

    Returns:
        1, the number of tokenizers put in.

    Raises:
        GraphError: the graph has other inputs, or is of another opset.
    """
    graph, texts = model.graph, list(front.graph.inputs)
    front.graph.inputs.clear()
    nodes, tokens, constants = ops.take_apart(front.graph)
    for value in tokens:
        ops.input_named(graph, str(value.name)).replace_all_uses_with(value)
    graph.inputs[:] = texts
    for value in constants:
        graph.register_initializer(value)
    graph.insert_before(graph[0], nodes)
    if model.opset_imports[""] != front.opset_imports[""]:
        raise GraphError(f"opset: found {model.opset_imports['']}, expected {front.opset_imports['']}")
    for domain, version in front.opset_imports.items():
        # A head of its own operators may have a later one; what is used here is in that, too.
        model.opset_imports[domain] = max(version, model.opset_imports.get(domain, 0))
    return 1
