from __future__ import annotations

from tests.graphs import apply, check_transform

GRAPH = """
    x = Placeholder(shape=[2])
    y = LRN(x, alpha=0.5, beta=0.5, bias=1.0, depth_radius=5, own=1, _cloned=True, _class=['loc:@x'])
    z = Unknown(y, alpha=1.0)
    -> z
"""


def test_what_says_the_default_goes() -> None:
    check_transform(
        "remove_default_attributes",
        GRAPH,
        """
            x = Placeholder(shape=[2])
            y = LRN(x, alpha=0.5, own=1, _class=['loc:@x'])
            z = Unknown(y, alpha=1.0)
        """,
    )


def test_it_undoes_what_writes_defaults_out() -> None:
    graph, results = apply(
        "remove_default_attributes add_default_attributes remove_default_attributes",
        "x = Placeholder(shape=[2])\ny = Conv2D(x, x, strides=[1, 1, 1, 1], padding='SAME', data_format='NCHW')\n-> y",
    )
    assert [result.changed for result in results] == [[], ["y"], ["y"]]
    assert {"strides", "padding", "data_format"} <= set(graph["y"].attrs)
    assert "dilations" not in graph["y"].attrs


def test_a_second_run_changes_nothing() -> None:
    _, results = apply("remove_default_attributes remove_default_attributes", GRAPH)
    assert not results[1].changed
