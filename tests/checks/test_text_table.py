from lit_cnn.checks.text_table import text_table


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [("name", "count", "note"), ("a", "1,000,000", ""), ("a longer name", "7", "x")]
    assert text_table(rows, right=[1]).splitlines() == [
        "name               count  note",
        "a              1,000,000",
        "a longer name          7  x",
    ]
