"""Made-up texts, short and long: prose, and programs in many languages, as for models that tell them apart.

What such texts have by far the most of, the blanks of indented lines, moves a model that counts characters most.
"""

from __future__ import annotations

import re

import numpy as np

_LEAST_LINES, _MOST_LINES = 8, 150
_VOCABULARY = """
account action address argument batch before buffer build cache channel check class client close color column
command config connect content count create current data default delete description device element error event
example field file filter format function group handler image index input item key label language length level line
list message method model module name network node number object option order output page parent path pattern point
position process project query queue range record request response result row schema server session size source
start state status string system table target task test text thread time token type update user value vector version
view width window word
"""
_WORDS = _VOCABULARY.split()
_DEEPEST = 6  # levels of indentation
_BLANK = re.compile(r"\$\w")

# A word stands for each letter after a $, a number for each $0, and $ itself for $$.
_KINDS = (
    (
        "The $a was $b, and no $c in it.",
        "It was the $a of $b.",
        "We waited for a $a; nobody knew the $b.",
        "$0 days later",
    ),
    ("This film was a waste of $a.", "I loved the $a, though not the $b!", "A $a that everyone should see."),
    (
        "import $a",
        "def $a($b, $c):",
        "    for $a in range($0):",
        "        return $b[$c]",
        "    self.$a = None",
        "# $a $b",
    ),
    ("#include <$a.h>", "int $a(char *$b) {", "    if ($a->$b != $0) return $c;", "}", '    printf("%d\\n", $a);'),
    ("std::vector<$a> $b;", "template <typename T>", "    auto $a = std::move($b);", "};", "class $a : public $b {"),
    ("const $a = ($b) => $c + $0;", "function $a($b) {", "  console.log($a.$b);", "});", "  return $a === '$b';"),
    (
        "interface $a { $b: string; }",
        "export const $a: number = $0;",
        "  private $a?: $b[];",
        "import { $a } from './$b';",
    ),
    (
        "public class $a extends $b {",
        "    private final int $a = $0;",
        "        System.out.println($a);",
        "    }",
        "import $a.$b;",
    ),
    (
        "using System.$a;",
        "namespace $a",
        "{",
        "    public string $a { get; set; }",
        "    var $a = new List<$b>();",
        "}",
    ),
    ("func $a($b int) error {", "\tif err != nil {", "\t\treturn $a, err", "\t}", "package $a", "\t$a := $b.$c($0)"),
    (
        "fn $a(&self) -> Option<$b> {",
        "    let mut $a = vec![$0];",
        "    match $a {",
        "}",
        "use $a::$b;",
        "pub struct $a {",
    ),
    ("require '$a'", "class $a < $b", "  def $a", "    @$a.each do |$b|", "    end", "  end", "  attr_reader :$a"),
    ("<?php", "$$a = $$b->$c();", 'echo "$a";', "foreach ($$a as $$b) {", "}", "function $a($$b) {"),
    ("SELECT $a, COUNT(*) FROM $b WHERE $c > $0;", "INSERT INTO $a VALUES ($0, '$b');", "CREATE TABLE $a ($b INT);"),
    ('<div class="$a">', "  <p>$a $b</p>", "</div>", '<a href="$a.html">$b</a>', "  <li>$a</li>", "<html>"),
    (".$a {", "  color: #$0;", "  margin: $0px;", "}", "#$a > .$b:hover {", "  display: none;"),
    ("<$a>", '  <$a id="$0">$b</$a>', "</$a>", '<?xml version="1.0"?>', "  <!-- $a -->"),
    ('  "$a": "$b",', "{", '  "$a": [$0, $0],', '  "$a": { "$b": true },', "}"),
    ("$a:", "  - $b: $c", "  $a: $0", "  - name: $a", "    run: $b"),
    ("[$a]", "$a = $b", "; $a", "$a = $0", '$a.$b = "$c"'),
    ("#!/bin/sh", "for $a in *.$b; do", '  echo "$$a" | grep $b', "done", "export $a=$b", "if [ -f $a ]; then"),
    ("$a: $b.o $c.o", "\t$$(CC) -o $a $b", ".PHONY: $a", "$a ?= $b"),
    ("# $a", "- $a $b", "See [$a]($b.md) for the $c.", "## $a and $b", "```", "**$a** $b $c"),
    ("\\section{$a}", "\\begin{$a}", "  \\item $a $b", "$$x_{$0} = \\frac{$a}{$b}$$", "\\end{$a}"),
    ("module $a where", "$a :: Int -> [$b]", "$a x = map ($b x) $c", "  | otherwise = $a"),
    ("local $a = $b", "function $a.$b($c)", "  if $a then return $0 end", "end", "for i = 1, $0 do"),
    ("$a <- function($b) {", "library($a)", '$a[["$b"]] <- $0', "plot($a ~ $b)", "}"),
    ("my $$a = shift;", "use $a::$b;", "sub $a {", '    print "$a\\n" if $$b =~ /$c/;', "}"),
    ("$a,$b,$c", "$0,$0,$0", "$a,$0,$b"),
    ("mov eax, $0", "$a:", "    push ebp", "    jmp $a", "    call $b", "section .$a"),
)


def text(random: np.random.Generator) -> bytes:
    """Some lines of one kind, few more often than many, with other words each time."""
    lines = _KINDS[int(random.integers(len(_KINDS)))]
    count = int(np.exp(random.uniform(np.log(_LEAST_LINES), np.log(_MOST_LINES))))
    unit = ("  ", "    ", "\t")[int(random.integers(3))]
    depths = np.abs(random.integers(-1, 2, count).cumsum()) % _DEEPEST
    chosen = [unit * depth + lines[int(random.integers(len(lines)))] for depth in depths]

    def filled(blank: re.Match[str]) -> str:
        return str(random.integers(1, 1000)) if blank[0] == "$0" else _word(random)

    return _BLANK.sub(filled, "\n".join(chosen).replace("$$", "\0")).replace("\0", "$").encode()


def _word(random: np.random.Generator) -> str:
    """A word, or two in one of the ways in which programs join them."""
    one, other = (_WORDS[place] for place in random.integers(0, len(_WORDS), 2))
    ways = (one, one, one, f"{one}_{other}", one + other.title(), one.title() + other.title())
    return ways[int(random.integers(len(ways)))]
