"""Turn a recipe's sources into files that need no torch; train heads.

In: a recipe, a BERT checkpoint, a head in the published format. Out, in `build/NAME`: `encoder.onnx`, the
head's weights, the tokenizer and config of the artifact, texts for calibration, and `reference.npz`, the
answers of the original pair. No other room but `bench` imports torch, transformers or scikit-learn.
"""

import core  # noqa: F401  an older Python stops here
