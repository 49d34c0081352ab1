"""Tables in Markdown."""

from codesample.bench.tables import not_shown, table, table_lines, table_of


def test_a_table_has_a_head_and_a_line_per_row():
    assert table(["a", "b"], [[1, "x"], [2.5, ""]]) == "| a | b |\n|---|---|\n| 1 | x |\n| 2.5 | |\n"


def test_what_a_measurement_lacks_stays_empty():
    found = [{"n": 1, "refused": "too large"}, {"n": 2, "seconds": 0.5}]
    assert table_of(found, ["n", "seconds"]).splitlines()[2:] == ["| 1 | |", "| 2 | 0.5 |"]


def test_lines_come_as_rows_do():
    drawn = []

    def rows():
        for n in range(3):
            drawn.append(n)
            yield [n]

    lines = table_lines(["n"], rows())
    assert [next(lines), next(lines), next(lines)] == ["| n |", "|---|", "| 0 |"]
    assert drawn == [0]


def test_a_reason_fills_the_first_of_the_cells_it_stands_for():
    assert not_shown("wrong", 3) == ["not shown: wrong", "", ""]
