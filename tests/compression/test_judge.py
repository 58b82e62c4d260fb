"""What of a graph is compared while its weights are searched."""

from __future__ import annotations

import pytest

from pbslim.compression.judge import Judge
from pbslim.verification.metrics import Kind
from tests.graphs import parse


def test_what_a_selection_chooses_from_is_compared_in_its_place() -> None:
    graph, _ = parse(
        """
            x = Placeholder(dtype='float', shape=[-1, 4])
            boxes = Relu(x)
            most = Const(3, dtype='int32')
            kept = NonMaxSuppression(boxes, x, most)
            zero = Const(0, dtype='int32')
            found = GatherV2(boxes, kept, zero)
            -> found
        """
    )
    assert Judge.of(graph, ["found"]).kinds == {"boxes": Kind.VALUES, "x": Kind.VALUES}


def test_a_value_at_the_best_place_is_a_selection_and_its_index_is_not() -> None:
    graph, _ = parse(
        """
            x = Placeholder(dtype='float', shape=[-1, 4])
            heat = Relu(x)
            offset = Neg(x)
            axis = Const(1, dtype='int32')
            place = ArgMax(heat, axis)
            zero = Const(0, dtype='int32')
            found = GatherV2(offset, place, zero, Tparams='float')
            -> found
        """
    )
    assert list(Judge.of(graph, ["found"]).kinds) == ["heat", "offset"]
    assert Judge.of(graph, ["place"]).kinds == {"heat": Kind.SCORES}


def test_words_that_are_picked_before_anything_is_computed_are_no_selection() -> None:
    graph, _ = parse(
        """
            x = Placeholder(dtype='string', shape=[-1])
            empty = Const('', dtype='string')
            kept = NotEqual(x, empty, T='string')
            places = Where(kept)
            ids = Cast(places, SrcT='int64', DstT='float')
            y = Neg(ids)
            -> y
        """
    )
    assert list(Judge.of(graph, ["y"]).kinds) == ["y"]


@pytest.mark.parametrize(("shape", "helpers"), [("[-1, 8, 8, 32]", set()), ("[-1, 1, 1, 32]", {"wide"})])
def test_a_mask_is_judged_alone_and_one_number_with_the_layer_before_it(shape: str, helpers: set[str]) -> None:
    graph, _ = parse(
        f"""
            x = Placeholder(dtype='float', shape={shape})
            wide = Relu(x)
            weights = Const({[[[[1.0]] * 32]]})
            logit = Conv2D(wide, weights, strides=[1, 1, 1, 1], padding='SAME')
            mask = Sigmoid(logit)
            -> mask
        """
    )
    judge = Judge.of(graph, ["mask"])
    assert judge.kinds["logit"] is Kind.CHANCES
    assert set(judge.helpers) == helpers


def test_the_best_of_a_matrix_product_is_a_decision_though_no_shape_is_known() -> None:
    graph, _ = parse(
        """
            x = Placeholder(dtype='float')
            weights = Const([[1.0, 2.0], [3.0, 4.0]])
            logits = MatMul(x, weights)
            scores = Softmax(logits)
            axis = Const(1, dtype='int32')
            best = ArgMax(scores, axis)
            -> best
        """
    )
    assert Judge.of(graph, ["best"]).kinds["logits"] is Kind.SCORES
