"""Users' data files: what they may be, and what is said of those that are wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from predictor.series.inputs import InputError, read_arrivals, read_counts


def written(directory: Path, text: str, name: str = "data.csv") -> Path:
    path = directory / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


WIDE = "fid,split,names,m1,m2,m3\nf1,dev,3,1,0,2.5\nf2,dev,1,,4,5\n"


@pytest.mark.parametrize("name", ["counts.csv", "counts.csv.gz"])
def test_wide_counts_are_read_and_columns_between_left_out(tmp_path: Path, name: str) -> None:
    window = read_counts(written(tmp_path, WIDE, name))
    assert window.names == ("f1", "f2")
    assert (window.step_s, window.end_ms) == (60.0, 180_000)
    np.testing.assert_equal(window.values, [[1, 0, 2.5], [np.nan, 4, 5]])


def test_wide_counts_may_have_bare_numbers_and_no_names(tmp_path: Path) -> None:
    assert read_counts(written(tmp_path, "0,1,2\n5,6,7\n8,9,1\n")).values.tolist() == [
        [5, 6, 7], [8, 9, 1],
    ]  # fmt: skip
    assert read_counts(written(tmp_path, "name,t1\nweb,5\n")).values.tolist() == [[5]]


def test_series_of_one_name_are_added(tmp_path: Path) -> None:
    window = read_counts(written(tmp_path, "name,t1,t2,t3\nweb,1,2,\nweb,4,,\n"))
    np.testing.assert_equal(window.values, [[5, 2, np.nan]])


LONG = """\
Name,region,time,count
web,a,2026-01-31T08:00:00Z,3
web,b,2026-01-31T08:00:59Z,4
db,a,2026-01-31 08:02:00,5

web,a,2026-01-31T10:02:00+02:00,
"""


def test_long_counts_are_added_by_step_and_gaps_are_unknown(tmp_path: Path) -> None:
    window = read_counts(written(tmp_path, LONG))
    assert window.names == ("web", "db")
    assert window.end_ms == 1_769_846_580_000
    np.testing.assert_equal(window.values, [[7, np.nan, np.nan], [np.nan, np.nan, 5]])


def test_times_in_seconds_fall_into_steps_of_the_given_length(tmp_path: Path) -> None:
    text = "name,time,count\nweb,0.5,1\nweb,1.5,2\nweb,12,3\n"
    window = read_counts(written(tmp_path, text), step_s=10.0)
    np.testing.assert_equal(window.values, [[3, 3]])
    assert window.end_ms == 20_000


def test_long_counts_without_names_are_called_as_their_file(tmp_path: Path) -> None:
    text = "period,count\n1998-04-30 21:30:00,2\n1998-04-30 21:32:00,5\n"
    window = read_counts(written(tmp_path, text, "site.csv.gz"))
    assert window.names == ("site",)
    np.testing.assert_equal(window.values, [[2, np.nan, 5]])


def test_counts_may_have_a_column_for_each_series(tmp_path: Path) -> None:
    text = "unix_timestamp,web|Sum,db|Sum\n600,1,2\n300,3,\n"
    window = read_counts(written(tmp_path, text), step_s=300.0)
    assert window.names == ("web|Sum", "db|Sum")
    assert window.end_ms == 900_000
    np.testing.assert_equal(window.values, [[3, 1], [np.nan, 2]])


def test_arrivals_are_sorted_by_service(tmp_path: Path) -> None:
    found = read_arrivals(written(tmp_path, "name,seconds\nweb,3\ndb,1.5\nweb,0.25\n"))
    assert {name: values.tolist() for name, values in found.items()} == {
        "web": [0.25, 3.0], "db": [1.5],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["arrival_s\n3\n1\n", "3\n1\n"])
def test_arrivals_without_names_are_called_as_their_file(tmp_path: Path, text: str) -> None:
    found = read_arrivals(written(tmp_path, text, "code.csv.gz"))
    assert {name: values.tolist() for name, values in found.items()} == {"code": [1.0, 3.0]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"data\.csv: is empty; give a CSV file"),
        ("name,when,what\nweb,1,2\n", r"data\.csv:1: has neither columns time and count"),
        ("name,t1,t2\n", "has a header and no series"),
        ("name,time,count\n", "has a header and no sample"),
        ("name,t1,t2\nweb,1,2\ndb,1,x\n", r"data\.csv:3: column 3: 'x' is no count; give a number"),
        ("name,t1,t2\nweb,1,-2\n", r"data\.csv:2: column 3: '-2' is no count"),
        ("name,t1,t2\nweb,inf,2\n", r"data\.csv:2: column 2: 'inf' is no count"),
        ("name,t1,t2\nweb,1\n", r"data\.csv:2: has 2 cells where the header has 3; give each line"),
        ("name,t1,t2\nweb,1,2,3\n", r"data\.csv:2: has 4 cells"),
        (
            "name,time,count\nweb,noon,2\n",
            r"data\.csv:2: column 2: 'noon' is no time; give seconds",
        ),
        ("name,time,count\nweb,1e300,2\n", r"data\.csv:2: column 2: '1e300' is no time"),
        ("name,time,count\nweb,nan,2\n", r"data\.csv:2: column 2: 'nan' is no time"),
        ("name,time,count\nweb,1,-1\n", r"data\.csv:2: column 3: '-1' is no count"),
        ("name,time,count\nweb,0,1\nweb,1700000000,1\n", r"span 28333334 steps of 60 s"),
    ],
)
def test_counts_that_are_wrong_say_where_and_what_to_do(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read_counts(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; give a CSV file of times"),
        ("who,what\na,b\n", r"data\.csv:1: no column is a time, but who, what; call it `seconds`"),
        ("name,seconds\n", "has a header and no arrival; give a line for each"),
        ("name,seconds\nweb,x\n", r"data\.csv:2: column 2: 'x' is no time"),
        ("name,seconds\nweb\n", r"data\.csv:2: has 1 cells where the header has 2"),
    ],
)
def test_arrivals_that_are_wrong_say_where_and_what_to_do(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read_arrivals(written(tmp_path, text))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_counts(tmp_path / "none.csv")
    whole = written(tmp_path, WIDE * 100, "cut.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="see that it is whole"):
        read_counts(tmp_path / "cut.csv.gz")
    (tmp_path / "plain.csv.gz").write_text(WIDE)
    with pytest.raises(InputError, match="see that it is whole"):
        read_counts(tmp_path / "plain.csv.gz")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00" * 99)
    with pytest.raises(InputError, match="give CSV in UTF-8"):
        read_counts(tmp_path / "binary.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_counts(tmp_path)
