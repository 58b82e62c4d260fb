from __future__ import annotations

import pytest

from pbslim.errors import TransformError
from tests.graphs import apply, check_refuses, check_transform

CONV = """
    x = Placeholder()
    w = Const([[[[1, 2, 3], [4, 5, 6]]]])
    conv = Conv2D(x, w)
    mean = Const([1, 2, 3])
    var = Const([0.5, 3.5, 8.5])
    beta = Const([10, 20, 30])
    gamma = Const([2, 3, 4])
"""
FUSED = CONV + "bn = FusedBatchNorm(conv, gamma, beta, mean, var, epsilon=0.5, is_training=False)\n"
FOLDED = """
    x = Placeholder()
    w = Const([[[[2, 3, 4], [8, 7.5, 8]]]])
    conv = Conv2D(x, w)
    conv_bn_offset = Const([8, 17, 26])
    bn = BiasAdd(conv, conv_bn_offset)
"""


def test_fused() -> None:
    check_transform("fold_old_batch_norms", before=FUSED + "-> bn", after=FOLDED + "-> bn")


def test_global_normalization_without_gamma() -> None:
    norm = "bn = BatchNormWithGlobalNormalization(conv, mean, var, beta, gamma, variance_epsilon=0.5)\n"
    after = """
        x = Placeholder()
        w = Const([[[[1, 1, 1], [4, 2.5, 2]]]])
        conv = Conv2D(x, w)
        conv_bn_offset = Const([9, 19, 29])
        bn = BiasAdd(conv, conv_bn_offset)
        -> bn
    """
    check_transform("fold_old_batch_norms", before=CONV + norm + "-> bn", after=after)


def test_global_normalization_with_gamma() -> None:
    norm = "bn = BatchNormWithGlobalNormalization(conv, mean, var, beta, gamma, variance_epsilon=0.5, {})\n-> bn"
    scaled = norm.format("scale_after_normalization=True")
    check_transform("fold_old_batch_norms", before=CONV + scaled, after=FOLDED + "-> bn")


SPACE = """
    block = Const([1, 1], dtype='int32')
    crops = Const([[0, 0], [0, 0]], dtype='int32')
    space = BatchToSpaceND({}, block, crops, {})
"""


def test_behind_batch_to_space_the_bias_stands_before_it() -> None:
    bare = SPACE.format("conv", "^x")
    check_transform(
        "fold_old_batch_norms",
        before=FUSED.replace("bn = ", bare.strip() + "\nbn = ").replace("Norm(conv", "Norm(space") + "-> bn",
        after=FOLDED.replace("bn = ", "conv/biasadd = ")
        + SPACE.format("conv/biasadd", "^x").replace("space =", "bn =")
        + "-> bn",
    )


TWO = """
    x = Placeholder()
    w0 = Const([[[[1], [2]]]])
    w1 = Const([[[[3], [4]]]])
    conv0 = Conv2D(x, w0)
    conv1 = Conv2D(x, w1)
    axis = Const({axis}, dtype='int32')
    both = ConcatV2(conv0, conv1, axis, N=2)
    mean = Const({mean})
    var = Const({var})
    beta = Const({beta})
    gamma = Const({gamma})
    bn = FusedBatchNorm(both, gamma, beta, mean, var, epsilon=0.5, is_training=False)
"""
ALONG = TWO.format(axis=3, mean=[1, 2], var=[0.5, 3.5], beta=[10, 20], gamma=[2, 4])
ACROSS = TWO.format(axis=1, mean=[1], var=[0.5], beta=[10], gamma=[2])
FOLDED_TWO = """
    x = Placeholder()
    w0 = Const([[[[2], [4]]]])
    w1 = Const([[[[6], [8]]]])
    conv0 = Conv2D(x, w0)
    conv1 = Conv2D(x, w1)
    conv0_bn_offset = Const([8])
    conv1_bn_offset = Const([{offset}])
    both_bn_in0 = BiasAdd(conv0, conv0_bn_offset)
    both_bn_in1 = BiasAdd(conv1, conv1_bn_offset)
    axis = Const({axis}, dtype='int32')
    bn = ConcatV2(both_bn_in0, both_bn_in1, axis, N=2)
    -> bn
"""


def test_behind_a_concatenation_each_convolution_gets_its_part() -> None:
    check_transform("fold_old_batch_norms", ALONG + "-> bn", FOLDED_TWO.format(axis=3, offset=16))
    check_transform(
        "fold_old_batch_norms", ALONG.replace("Const(3,", "Const(-1,") + "-> bn", FOLDED_TWO.format(axis=-1, offset=16)
    )


def test_behind_a_concatenation_in_space_each_gets_all() -> None:
    check_transform("fold_old_batch_norms", ACROSS + "-> bn", FOLDED_TWO.format(axis=1, offset=8))


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (ALONG + "-> bn, both", "'both' is an output"),
        (ALONG + "z = Neg(bn, ^both)\n-> z", "'both' is read by 'z'"),
        (ALONG + "z = Neg(conv1)\n-> bn, z", "'conv1' is read by 'z'"),
        (ALONG.replace("ConcatV2(conv0, conv1", "ConcatV2(conv0, conv0") + "-> bn", "share a convolution"),
        (ALONG.replace("(x, w1)", "(x, w0)") + "-> bn", "share a convolution or its weights"),
        (
            ALONG.replace("Const([[[[3], [4]]]])", "Const([[[[3, 1], [4, 1]]]])") + "-> bn",
            "1 statistics for 2 channels",
        ),
    ],
)
def test_refuses_concatenations(graph: str, reason: str) -> None:
    check_refuses("fold_old_batch_norms", graph, reason)


@pytest.mark.parametrize("graph", [FUSED, ALONG, ACROSS])
def test_twice_is_once(graph: str) -> None:
    _, results = apply("fold_old_batch_norms fold_old_batch_norms", graph + "-> bn")
    assert [bool(result.changed) for result in results] == [True, False]


def test_statistics_that_are_needed_elsewhere_stay() -> None:
    graph, _ = apply("fold_old_batch_norms", FUSED + "z = Neg(gamma)\n-> bn, z")
    assert graph["bn"].op == "BiasAdd"
    assert "gamma" in graph
    assert "beta" not in graph


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (FUSED.replace("is_training=False", "is_training=True") + "-> bn", "is_training"),
        (FUSED.replace(", is_training=False", "") + "-> bn", "is_training"),
        (FUSED + "z = Neg(bn:1)\n-> bn, z", "batch statistics"),
        (FUSED + "z = Neg(conv)\n-> bn, z", "'conv' is read by 'z'"),
        (FUSED.replace("(conv, gamma", "(conv, x") + "-> bn", "its input 1 is 'x' (Placeholder), not Const"),
        (FUSED + "z = Neg(w)\n-> bn, z", "'w' is read by 'z'"),
        (FUSED + "-> bn, conv", "'conv' is an output"),
        (FUSED.replace("conv = Conv2D(x, w)", "c = Conv2D(x, w)\nconv = Conv2D(c, w)") + "-> bn", "'w' is read by 'c'"),
    ],
)
def test_refuses(graph: str, reason: str) -> None:
    check_refuses("fold_old_batch_norms", graph, reason)


def test_statistics_of_different_length_are_an_error() -> None:
    with pytest.raises(TransformError, match=r"fold_old_batch_norms: 'bn': variance has shape \[2\], the mean \[3\]"):
        apply("fold_old_batch_norms", FUSED.replace("[0.5, 3.5, 8.5]", "[1, 2]") + "-> bn")


def test_what_only_waits_does_not_hinder() -> None:
    check_transform(
        "fold_old_batch_norms",
        before=FUSED + "z = Neg(bn, ^conv, ^w)\n-> z",
        after=FOLDED + "z = Neg(bn, ^conv, ^w)\n-> z",
    )


def test_a_refusal_does_not_hinder_the_next() -> None:
    behind = """
        w2 = Const([[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]])
        conv2 = Conv2D(bn, w2)
        bn2 = FusedBatchNorm(conv2, gamma, beta, mean, var, epsilon=0.5, is_training=False)
        -> bn2, conv
    """
    graph, _ = apply("fold_old_batch_norms", FUSED + behind)
    assert (graph["bn"].op, graph["bn2"].op) == ("FusedBatchNorm", "BiasAdd")
