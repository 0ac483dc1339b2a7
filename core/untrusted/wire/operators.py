"""List the operators that an untrusted ONNX file may use, by domain. Standard library only.

None of them runs without bound or reads a file: `Loop` and `Scan` are left out, so are random numbers,
which would make an answer depend on chance.
"""

from __future__ import annotations

MICROSOFT = "com.microsoft"
HEAD_DOMAIN = "ai.onnx.ml"
# One domain with two names.
STANDARD = ("", "ai.onnx")

_MATHS = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Celu Clip "
    "Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN "
    "LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round "
    "Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor"
)
_ROWS = (
    "ArgMax ArgMin BatchNormalization CumSum Dropout Gemm Hardmax InstanceNormalization LayerNormalization "
    "LogSoftmax LpNormalization MatMul MeanVarianceNormalization ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RMSNormalization "
    "Softmax TopK"
)
_SHAPES = (
    "Cast CastLike Compress Concat ConcatFromSequence Constant ConstantOfShape Expand EyeLike Flatten "
    "Gather GatherElements GatherND Identity If NonZero OneHot Pad Range Reshape ScatterElements ScatterND "
    "SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength Shape Size "
    "Slice Split SplitToSequence Squeeze Tile Transpose Trilu Unsqueeze"
)
_QUANTIZED = "DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearMatMul QuantizeLinear"
_CLASSIFIERS = (
    "ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder LinearClassifier "
    "LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble "
    "TreeEnsembleClassifier TreeEnsembleRegressor ZipMap"
)
STANDARD_OPERATORS = frozenset(f"{_MATHS} {_ROWS} {_SHAPES} {_QUANTIZED}".split())
HEAD_OPERATORS = frozenset(_CLASSIFIERS.split())
MICROSOFT_OPERATORS = frozenset(
    "Attention BiasGelu DynamicQuantizeMatMul FusedMatMul Gelu MatMulIntegerToFloat QAttention "
    "SkipLayerNormalization Tokenizer".split()
)

# Products of integers, and the input that is the weight.
INTEGER_WEIGHTS = {
    ("", "MatMulInteger"): 1,
    ("", "QLinearMatMul"): 3,
    (MICROSOFT, "DynamicQuantizeMatMul"): 1,
    (MICROSOFT, "MatMulIntegerToFloat"): 1,
    (MICROSOFT, "QAttention"): 1,
}

# The standard's first version of what onnxruntime runs, differently, in an earlier one too.
SINCE = {"LayerNormalization": 17, "MeanVarianceNormalization": 9, "ThresholdedRelu": 10}

Table = dict[str, frozenset[str]]
HEAD: Table = {**dict.fromkeys(STANDARD, STANDARD_OPERATORS), HEAD_DOMAIN: HEAD_OPERATORS}
GRAPH: Table = {**HEAD, MICROSOFT: MICROSOFT_OPERATORS}
